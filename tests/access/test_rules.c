/* test_rules.c - permissions, roles, names and passwords. */
#include "access/access_gate.h"
#include "access/access_rule.h"
#include "access/permission.h"
#include "base/clock.h"
#include "test.h"

TEST(every_scope_is_read_back_and_admin_is_all_of_them)
{
    uint64_t all = 0;

    for (unsigned p = PERM_NONE + 1; p < PERM_COUNT; p++) {
        CHECK_EQ(permission_parse(str_from(permission_scope(p))), permission_bit(p));
        all |= permission_bit(p);
    }
    CHECK_EQ(permission_parse(S("admin")), all);
    CHECK_EQ(permission_all(), all);
    CHECK(!(permission_all() & permission_bit(PERM_NONE)));
    CHECK_EQ(permission_parse(S("none")), 0);
    CHECK_EQ(permission_parse(S("")), 0);
    CHECK_EQ(permission_parse(S("events:writ")), 0);
    CHECK_EQ(permission_parse(S("events:write ")), 0);
}

TEST(scopes_of_a_key_are_exact)
{
    str good[] = {S("events:write"), S("events:write"), S("metrics:read")};
    str bad[] = {S("events:read"), S("public"), S("nonsense"), S("signed-in")};
    uint64_t set;

    CHECK_OK(scopes_parse(cx, (struct strs){good, 3}, &set));
    CHECK_EQ(set & ~PERMISSIONS_SIGNED_IN,
             permission_bit(PERM_EVENTS_WRITE) | permission_bit(PERM_METRICS_READ));
    CHECK_STR(scopes_join(cx->mem, scopes_list(cx->mem, set)), S("events:write metrics:read"));
    CHECK_EQ(scopes_split(S("events:write metrics:read")), set);
    CHECK_EQ(scopes_split(S("events:write of-tomorrow metrics:read")), set);
    CHECK_EQ(scopes_split(S("")), 0);
    CHECK_STR(scopes_join(cx->mem, scopes_list(cx->mem, permission_all())), S("admin"));
    CHECK_ERR(scopes_parse(cx, (struct strs){bad, 4}, &set), ERR_INVALID);
    CHECK_EQ(cx->issue_count, 3);
    CHECK_STR(cx->issues[0].pointer, S("/scopes/1"));
    CHECK_STR(cx->issues[2].pointer, S("/scopes/3"));
    ctx_clear_error(cx);
    CHECK_ERR(scopes_parse(cx, (struct strs){NULL, 0}, &set), ERR_INVALID);
}

/* What each role may do, written out again: a change of the table must be meant. */
TEST(roles_hold_what_they_say)
{
    static const struct {
        const char *role, *scopes;
    } roles[] = {
        {"administrator", "admin"},
        {"operator", "events:write events:read metrics:read keys:write ledger:admin"},
        {"auditor", "events:read events:export metrics:read"},
        {"analyst", "events:write events:read events:export"},
        {"viewer", "events:read"},
    };
    size_t known = 0;

    for (size_t i = 0; i < COUNT(roles); i++)
        CHECK_STR(
            scopes_join(cx->mem, scopes_list(cx->mem, role_permissions(str_from(roles[i].role)))),
            str_from(roles[i].scopes));
    while (role_names[known])
        known++;
    CHECK_EQ(known, COUNT(roles));
    CHECK_EQ(role_permissions(S("root")), 0);
    CHECK_EQ(role_permissions(S("")), 0);
}

TEST(user_names_are_plain)
{
    static const char *const good[] = {"a", "alice", "0x", "alice.b-c_d@example.org", "a+b"};
    static const char *const bad[] = {
        "",
        "Alice",
        "al ice",
        "../x",
        "-a",
        ".a",
        "a/b",
        "a\n",
        "ä",
        "a%b",
        "a\"b",
        "@a",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};

    for (size_t i = 0; i < COUNT(good); i++)
        CHECK_OK(user_name_check(cx, str_from(good[i])));
    for (size_t i = 0; i < COUNT(bad); i++) {
        CHECK_ERR(user_name_check(cx, str_from(bad[i])), ERR_INVALID);
        CHECK_STR(cx->issues[0].pointer, S("/username"));
        ctx_clear_error(cx);
    }
    CHECK_ERR(user_name_check(cx, ((str){"a\0b", 3})), ERR_INVALID);
}

/* NIST SP 800-63B: length alone, and not one of those that everybody tries. */
TEST(passwords_need_length_and_nothing_else)
{
    static const char *const good[] = {"only lower case letters", "zwölf Boxkämpfer!",
                                       "               x", "日本語のパスワードはとても長いです",
                                       "alice likes it long"};
    static const char *const bad[] = {"",
                                      "14 characters.",
                                      "日本語のパスワードは短い!",
                                      "passwordpassword",
                                      "PasswordPassword",
                                      "aaaaaaaaaaaaaaaaaaaa",
                                      "abababababababab",
                                      "abcabcabcabcabcabc",
                                      "alicealicealice",
                                      "12345678901234567890"};
    char *long_one = arena_new(cx->mem, char, 2000);

    for (size_t i = 0; i < COUNT(good); i++)
        CHECK_OK(password_check(cx, S("alice"), str_from(good[i])));
    for (size_t i = 0; i < COUNT(bad); i++) {
        CHECK_ERR(password_check(cx, S("alice"), str_from(bad[i])), ERR_INVALID);
        CHECK_STR(cx->issues[0].pointer, S("/password"));
        CHECK(!bad[i][0] || !strstr(cx->detail, bad[i])); /* it is not repeated */
        ctx_clear_error(cx);
    }
    for (size_t i = 0; i < 2000; i++)
        long_one[i] = (char)('a' + i % 23);
    CHECK_OK(password_check(cx, S("alice"), (str){long_one, 1024}));
    CHECK_ERR(password_check(cx, S("alice"), (str){long_one, 1025}), ERR_INVALID);
    CHECK_ERR(password_check(cx, S("alice"), S("fifteen characters \xff")), ERR_INVALID);
}

/* ---- the gate ---- */

struct crowd {
    struct gate gate;
    _Atomic int inside, inside_max, entered, refused;
};

static void *visit(void *arg)
{
    struct crowd *c = arg;
    struct ctx *cx = ctx_open(0);

    for (int i = 0; i < 50; i++) {
        if (gate_enter(cx, &c->gate, 1000000000) != ERR_OK) {
            c->refused++;
            continue;
        }
        int now = ++c->inside;
        if (now > c->inside_max)
            c->inside_max = now;
        sched_yield();
        c->inside--;
        c->entered++;
        gate_leave(&c->gate);
    }
    ctx_close(cx);
    return NULL;
}

TEST(the_gate_lets_so_many_in_and_no_more)
{
    struct crowd c = {0};
    pthread_t t[6];

    gate_init(&c.gate, 2, 6);
    for (size_t i = 0; i < COUNT(t); i++)
        t[i] = thread_start("visitor", visit, &c);
    for (size_t i = 0; i < COUNT(t); i++)
        pthread_join(t[i], NULL);
    CHECK(c.inside_max <= 2 && c.inside_max >= 1);
    CHECK_EQ(c.entered + c.refused, 300);
    CHECK_EQ(c.refused, 0); /* all six may wait */
    gate_fini(&c.gate);
}

TEST(the_gate_turns_away_when_too_many_wait_or_too_long)
{
    struct gate g;

    gate_init(&g, 1, 0);
    CHECK_OK(gate_enter(cx, &g, 0));
    CHECK_ERR(gate_enter(cx, &g, 1000000000), ERR_BUSY); /* at once: none may wait */
    gate_leave(&g);
    CHECK_OK(gate_enter(cx, &g, 0));
    gate_leave(&g);
    gate_fini(&g);

    gate_init(&g, 1, 1);
    CHECK_OK(gate_enter(cx, &g, 0));
    int64_t began_ns = clock_mono_ns();
    CHECK_ERR(gate_enter(cx, &g, 20000000), ERR_BUSY);
    CHECK(clock_mono_ns() - began_ns >= 20000000);
    cx->deadline_ns = clock_mono_ns() + 10000000;
    CHECK_ERR(gate_enter(cx, &g, INT64_C(60000000000)), ERR_BUSY);
    gate_leave(&g);
    gate_fini(&g);
}
