/* test_registry.c - whose credential is this: keys, sessions, expiry by a clock that is an
 * argument. */
#include "access/access_registry.h"
#include "access/permission.h"
#include "base/queue.h"
#include "crypto/token.h"
#include "test.h"

#define SECOND INT64_C(1000000)
#define MINUTE (60 * SECOND)

static const struct registry_limits limits = {.session_idle_us = 30 * MINUTE};
static const int64_t now = INT64_C(1800000000) * 1000000;

static str add_key(struct ctx *cx, struct registry *r, str id, uint64_t permissions,
                   int64_t expires_us)
{
    struct registry_key key = {
        .id = id, .name = S("a key"), .permissions = permissions, .expires_us = expires_us};
    str text;

    CHECK_OK(api_key_make(cx, id, &text));
    token_hash(text, &key.secret);
    registry_key_put(r, &key);
    return text;
}

static str add_session(struct ctx *cx, struct registry *r, const char *id, const char *user)
{
    char *token = arena_new(cx->mem, char, SESSION_TOKEN_BYTES + 1);
    struct registry_session s = {.id = str_from(id),
                                 .user = str_from(user),
                                 .created_us = now,
                                 .used_us = now,
                                 .expires_us = now + 720 * MINUTE};

    session_token_make(token);
    token_hash(str_from(token), &s.secret);
    registry_session_put(r, &s);
    return str_from(token);
}

static void add_user(struct registry *r, const char *name, uint64_t permissions)
{
    registry_user_put(r, &(struct registry_user){str_from(name), permissions});
}

static enum identified identify(struct ctx *cx, struct registry *r, str bearer, int64_t at_us)
{
    struct identity who;

    return registry_identify(r, cx->mem, bearer, &limits, at_us, &who);
}

TEST(a_key_is_its_own_principal_with_its_permissions)
{
    struct registry *r = registry_open();
    str text = add_key(cx, r, S("k1"), permission_bit(PERM_EVENTS_WRITE), 0);
    struct identity who;

    CHECK_EQ(registry_identify(r, cx->mem, text, &limits, now, &who), IDENTIFIED);
    CHECK_STR(who.principal, S("key/k1"));
    CHECK_STR(who.name, S("a key"));
    CHECK(str_is_null(who.session));
    CHECK_EQ(who.permissions, permission_bit(PERM_EVENTS_WRITE));
    registry_close(r);
}

/* Every other text than the key itself fails: each byte changed, cut at each place, lengthened,
 * another's id on it, or with a secret that is well-formed but not this key's. */
TEST(only_the_very_text_of_a_key_counts)
{
    struct registry *r = registry_open();
    str text = add_key(cx, r, S("k1"), 1, 0), other = add_key(cx, r, S("k2"), 1, 0), unknown;
    struct identity who;
    str same_id;

    for (size_t i = 0; i < text.n; i++) {
        char *copy = arena_new(cx->mem, char, text.n + 1);
        memcpy(copy, text.p, text.n);
        copy[i] = copy[i] == 'x' ? 'y' : 'x';
        CHECK(identify(cx, r, (str){copy, text.n}, now) != IDENTIFIED);
        CHECK(identify(cx, r, str_slice(text, 0, i), now) != IDENTIFIED);
    }
    CHECK_EQ(identify(cx, r, arena_printf(cx->mem, "%.*sx", STR_FMT(text)), now),
             IDENTIFIED_MALFORMED);
    CHECK_EQ(identify(cx, r, S(""), now), IDENTIFIED_MALFORMED);
    CHECK_EQ(identify(cx, r, S("chancery_key_"), now), IDENTIFIED_MALFORMED);
    CHECK_OK(api_key_make(cx, S("nobody"), &unknown));
    CHECK_EQ(registry_identify(r, cx->mem, unknown, &limits, now, &who), IDENTIFIED_NOT);
    CHECK(str_is_null(who.principal));
    CHECK_OK(api_key_make(cx, S("k1"), &same_id));
    CHECK_EQ(registry_identify(r, cx->mem, same_id, &limits, now, &who), IDENTIFIED_NOT);
    CHECK_STR(who.principal, S("key/k1")); /* whose key somebody tried to guess */
    CHECK_EQ(identify(cx, r, text, now), IDENTIFIED);
    CHECK_EQ(identify(cx, r, other, now), IDENTIFIED);
    registry_close(r);
}

TEST(a_key_expires_and_a_dropped_one_is_gone_at_once)
{
    struct registry *r = registry_open();
    str text = add_key(cx, r, S("k1"), 1, now + SECOND);

    CHECK_EQ(identify(cx, r, text, now), IDENTIFIED);
    CHECK_EQ(identify(cx, r, text, now + SECOND - 1), IDENTIFIED);
    CHECK_EQ(identify(cx, r, text, now + SECOND), IDENTIFIED_EXPIRED);
    registry_key_drop(r, S("k1"));
    registry_key_drop(r, S("k1"));
    CHECK_EQ(identify(cx, r, text, now), IDENTIFIED_NOT);
    registry_close(r);
}

TEST(a_thousand_keys_are_each_found)
{
    struct registry *r = registry_open();
    str *texts = arena_new(cx->mem, str, 1000);

    for (int i = 0; i < 1000; i++)
        texts[i] = add_key(cx, r, arena_printf(cx->mem, "k%d", i), 1, 0);
    for (int i = 0; i < 1000; i += 3)
        registry_key_drop(r, arena_printf(cx->mem, "k%d", i));
    for (int i = 0; i < 1000; i++)
        CHECK_EQ(identify(cx, r, texts[i], now), i % 3 ? IDENTIFIED : IDENTIFIED_NOT);
    registry_close(r);
}

TEST(last_uses_are_told_once_and_survive_a_reload)
{
    struct registry *r = registry_open();
    str text = add_key(cx, r, S("k1"), 1, 0);
    struct registry_key *used;

    add_key(cx, r, S("k2"), 1, 0);
    CHECK_EQ(registry_keys_used(r, cx->mem, &used), 0);
    CHECK_EQ(identify(cx, r, text, now), IDENTIFIED);
    CHECK_EQ(registry_key_used_us(r, S("k1")), now);
    CHECK_EQ(registry_key_used_us(r, S("k2")), 0);
    CHECK_EQ(registry_keys_used(r, cx->mem, &used), 1);
    CHECK_STR(used[0].id, S("k1"));
    CHECK_EQ(used[0].used_us, now);
    CHECK_EQ(registry_keys_used(r, cx->mem, &used), 0);
    add_key(cx, r, S("k1"), 1, 0);
    CHECK_EQ(registry_key_used_us(r, S("k1")), now);
    registry_close(r);
}

TEST(a_session_ends_by_idleness_and_by_age)
{
    struct registry *r = registry_open();
    str token = add_session(cx, r, "s1", "alice");
    struct registry_session *over;
    struct identity who;
    int64_t at_us = now;

    CHECK_EQ(identify(cx, r, token, now), IDENTIFIED_NOT); /* whose user is not known */
    add_user(r, "alice", permission_bit(PERM_EVENTS_READ));
    CHECK_EQ(registry_identify(r, cx->mem, token, &limits, now, &who), IDENTIFIED);
    CHECK_STR(who.principal, S("user/alice"));
    CHECK_STR(who.session, S("s1"));
    CHECK_EQ(who.permissions, permission_bit(PERM_EVENTS_READ));

    while (at_us + 29 * MINUTE < now + 720 * MINUTE) { /* in use it lasts until its age ends it */
        at_us += 29 * MINUTE;
        CHECK_EQ(identify(cx, r, token, at_us), IDENTIFIED);
        CHECK_EQ(registry_sessions_over(r, cx->mem, &limits, at_us, &over), 0);
    }
    CHECK_EQ(identify(cx, r, token, now + 720 * MINUTE), IDENTIFIED_EXPIRED);
    CHECK_EQ(registry_sessions_over(r, cx->mem, &limits, now + 720 * MINUTE, &over), 1);

    token = add_session(cx, r, "s2", "alice");
    CHECK_EQ(identify(cx, r, token, now + 30 * MINUTE - 1), IDENTIFIED);
    CHECK_EQ(identify(cx, r, token, now + 60 * MINUTE - 1), IDENTIFIED_EXPIRED);
    CHECK_EQ(identify(cx, r, token, now + 31 * MINUTE), IDENTIFIED); /* the clock jumped back */
    registry_close(r);
}

TEST(what_a_session_may_do_is_what_its_user_may_do_now)
{
    struct registry *r = registry_open();
    str token = add_session(cx, r, "s1", "alice");
    struct identity who;

    add_user(r, "alice", 6);
    CHECK_EQ(registry_identify(r, cx->mem, token, &limits, now, &who), IDENTIFIED);
    add_user(r, "alice", 2);
    CHECK_EQ(registry_identify(r, cx->mem, token, &limits, now, &who), IDENTIFIED);
    CHECK_EQ(who.permissions, 2);
    add_user(r, "alice", 0);
    CHECK_EQ(identify(cx, r, token, now), IDENTIFIED_NOT);
    registry_close(r);
}

TEST(sessions_are_found_by_user_and_dropped_by_id)
{
    struct registry *r = registry_open();
    struct registry_session *list;
    str a1 = add_session(cx, r, "a1", "alice"), b1 = add_session(cx, r, "b1", "bob");

    add_session(cx, r, "a2", "alice");
    add_user(r, "alice", 2);
    add_user(r, "bob", 2);
    CHECK_EQ(registry_session_count(r), 3);
    CHECK_EQ(registry_sessions_of(r, cx->mem, S("alice"), &list), 2);
    CHECK_STR(list[0].user, S("alice"));
    CHECK(registry_session_drop(r, S("a1")));
    CHECK(!registry_session_drop(r, S("a1")));
    CHECK_EQ(identify(cx, r, a1, now), IDENTIFIED_NOT);
    CHECK_EQ(identify(cx, r, b1, now), IDENTIFIED);
    CHECK_EQ(registry_session_count(r), 2);
    registry_close(r);
}

/* Loops identify while keys come and go: never a wrong answer (and ThreadSanitizer watches). */
struct traffic {
    struct registry *registry;
    str text;
    _Atomic bool stop;
    _Atomic unsigned wrong, asked;
};

static void *ask(void *arg)
{
    struct traffic *t = arg;
    struct ctx *cx = ctx_open(0);

    while (!t->stop) {
        struct identity who;
        if (registry_identify(t->registry, cx->mem, t->text, &limits, now + t->asked * SECOND,
                              &who) != IDENTIFIED ||
            who.permissions != 2)
            t->wrong++;
        t->asked++;
        ctx_reset(cx);
    }
    ctx_close(cx);
    return NULL;
}

TEST(keys_come_and_go_while_others_are_asked_for)
{
    struct traffic t = {.registry = registry_open()};
    struct registry_key *used;
    pthread_t threads[2];

    t.text = add_key(cx, t.registry, S("steady"), 2, 0);
    for (size_t i = 0; i < COUNT(threads); i++)
        threads[i] = thread_start("asker", ask, &t);
    for (int i = 0; i < 2000; i++) {
        str id = arena_printf(cx->mem, "k%d", i % 100);
        add_key(cx, t.registry, id, 1, 0);
        registry_keys_used(t.registry, cx->mem, &used);
        if (i % 2)
            registry_key_drop(t.registry, id);
    }
    while (t.asked < 100)
        sched_yield();
    t.stop = true;
    for (size_t i = 0; i < COUNT(threads); i++)
        pthread_join(threads[i], NULL);
    CHECK_EQ(t.wrong, 0);
    registry_close(t.registry);
}
