/* test_config.c - settings: where they come from, what is refused, what is never printed. */
#include "ops/config.h"
#include "ops/suggest.h"
#include "test.h"

struct world {
    struct config_sources sources;
    const char *environment[8];
    struct config_setting flags[8];
};

/* Nothing of the machine's own configuration reaches a test. */
static struct world *world_new(struct ctx *cx, const char *dir)
{
    struct world *w = arena_new(cx->mem, struct world, 1);

    w->sources = (struct config_sources){
        .fs = fs_real(),
        .system_file = test_path(cx, dir, "system.yaml"),
        .environment = w->environment,
        .flags = w->flags,
    };
    w->flags[0] = (struct config_setting){S("data.dir"), str_from(dir)};
    w->sources.flag_count = 1;
    return w;
}

static void add_flag(struct world *w, const char *name, const char *value)
{
    w->flags[w->sources.flag_count++] = (struct config_setting){str_from(name), str_from(value)};
}

static void write_file(struct ctx *cx, const char *dir, const char *name, const char *text)
{
    CHECK_OK(fs_replace(cx, fs_real(), dir, name, str_from(text)));
}

static str format(struct ctx *cx, const struct config *c, enum config_key key)
{
    CLEANUP(buf_close) struct buf b = BUF(4096);

    config_format(&b, c, key);
    return arena_str(cx->mem, buf_str(&b));
}

/* Loading fails and one of the issues is at `pointer` and holds `text`. */
static void check_issue(struct ctx *cx, const struct world *w, const char *pointer,
                        const char *text)
{
    struct config c;

    CHECK_ERR(config_load(cx, &w->sources, &c), ERR_CONFIG);
    for (size_t i = 0; i < cx->issue_count; i++) {
        if (!str_ends(cx->issues[i].pointer, str_from(pointer)))
            continue;
        CHECK_HOLDS(cx->issues[i].detail, text);
        return;
    }
    print_error("no issue at %s; the first is %.*s: %.*s\n", pointer,
                STR_FMT(cx->issues[0].pointer), STR_FMT(cx->issues[0].detail));
    CHECK(false);
}

/* Each default is written in the table as a user would write it, and lies within its own bounds. */
TEST(config_defaults_are_good)
{
    struct config c;

    config_defaults(cx, &c);
    CHECK_STR(c.http_listen, S("127.0.0.1:8080"));
    CHECK_EQ(c.http_loops, 2);
    CHECK_EQ(c.http_body_bytes_max, 1 << 20);
    CHECK_EQ(c.ledger_checkpoint_interval_ns, 100000000);
    CHECK_EQ(c.dedup_ids, 16000000);
    CHECK_EQ(c.dedup_age_ns, INT64_C(86400000000000));
    CHECK_EQ(c.ledger_retention_ns, 0);
    CHECK(!c.ledger_legal_hold);
    CHECK_EQ(c.ledger_witnesses.count, 0);
    for (size_t i = 0; i < CONFIG_KEY_COUNT; i++)
        CHECK_EQ(c.origin[i].level, CONFIG_FROM_DEFAULT);
}

/* One setting is given at every level; the levels are taken away from the strongest down. */
TEST(config_stronger_sources_win)
{
    static const struct {
        bool flag, variable, file;
        int64_t want;
        enum config_level level;
        const char *where;
    } rows[] = {
        {true, true, true, 11, CONFIG_FROM_FLAG, "--http.workers"},
        {true, false, false, 11, CONFIG_FROM_FLAG, "--http.workers"},
        {false, true, true, 12, CONFIG_FROM_ENVIRONMENT, "CHANCERY_HTTP_WORKERS"},
        {false, false, true, 13, CONFIG_FROM_FILE, "chancery.yaml:2:3"},
        {false, false, false, 64, CONFIG_FROM_DEFAULT, "default"},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct world *w = world_new(cx, dir);
        struct config c;

        write_file(cx, dir, "chancery.yaml", rows[i].file ? "http:\n  workers: 13\n" : "# none\n");
        if (rows[i].variable)
            w->environment[0] = "CHANCERY_HTTP_WORKERS=12";
        if (rows[i].flag)
            add_flag(w, "http.workers", "11");
        CHECK_OK(config_load(cx, &w->sources, &c));
        CHECK_EQ(c.http_workers, rows[i].want);
        CHECK_EQ(c.origin[CONFIG_KEY_http_workers].level, rows[i].level);
        CHECK(str_ends(c.origin[CONFIG_KEY_http_workers].where, str_from(rows[i].where)));
    }
}

TEST(config_file_is_named_or_beside_the_data_or_the_systems)
{
    struct world *w = world_new(cx, dir);
    struct config c;

    CHECK_OK(config_load(cx, &w->sources, &c));
    CHECK(str_is_null(c.file));

    write_file(cx, dir, "system.yaml", "http.loops: 3\n");
    CHECK_OK(config_load(cx, &w->sources, &c));
    CHECK_EQ(c.http_loops, 3);

    write_file(cx, dir, "chancery.yaml", "http.loops: 4\n");
    CHECK_OK(config_load(cx, &w->sources, &c));
    CHECK_EQ(c.http_loops, 4);

    write_file(cx, dir, "other.yaml", "http.loops: 5\n");
    w->sources.file = str_from(test_path(cx, dir, "other.yaml"));
    CHECK_OK(config_load(cx, &w->sources, &c));
    CHECK_EQ(c.http_loops, 5);

    w->sources.file = S("/nonexistent/chancery.yaml");
    CHECK_ERR(config_load(cx, &w->sources, &c), ERR_CONFIG);
    CHECK_DETAIL("/nonexistent/chancery.yaml");
}

/* The data folder may come from the environment, and then its file is the one that is read. */
TEST(config_finds_the_data_folder_in_the_environment)
{
    struct world *w = world_new(cx, dir);
    struct config c;

    w->sources.flag_count = 0;
    w->environment[0] = arena_printf(cx->mem, "CHANCERY_DATA_DIR=%s", dir).p;
    write_file(cx, dir, "chancery.yaml", "log.level: warn\n");
    CHECK_OK(config_load(cx, &w->sources, &c));
    CHECK_STR(c.data_dir, str_from(dir));
    CHECK_STR(c.log_level, S("warn"));
    write_file(cx, dir, "chancery.yaml", "data:\n  dir: /elsewhere\n");
    check_issue(cx, w, "chancery.yaml:2:3", "cannot be set in the file");
}

TEST(config_file_errors_name_line_and_column)
{
    static const struct {
        const char *text, *pointer, *detail;
    } rows[] = {
        {"http:\n  lisen: x\n", "chancery.yaml:2:3", "did you mean 'http.listen'?"},
        {"\nhtp:\n  listen: x\n", "chancery.yaml:2:1",
         "no group of settings 'htp'; did you mean 'http'?"},
        {"http.wrkers: 3\n", "chancery.yaml:1:1", "did you mean 'http.workers'?"},
        {"http:\n  workers: 0\n", "chancery.yaml:2:3", "http.workers is '0' but must be 1 to 1024"},
        {"http:\n  workers: many\n", "chancery.yaml:2:3", "must be a whole number"},
        {"http:\n  workers: [1, 2]\n", "chancery.yaml:2:3", "takes one value"},
        {"http:\n  workers:\n", "chancery.yaml:2:3", "has no value"},
        {"http:\n  workers: {a: 1}\n", "chancery.yaml:2:3", "no group of settings"},
        {"http:\n  workers: 1\n  workers: 2\n", "chancery.yaml:3:3", "second time, first at"},
        {"http.idle: 1s\nhttp:\n  idle: 2s\n", "chancery.yaml:3:3", "second time, first at"},
        {"http: [\n", "chancery.yaml:2:1", "this is not YAML"},
        {"http:\n\tworkers: 1\n", "chancery.yaml:2:1", "this is not YAML"},
        {"- a\n- b\n", "chancery.yaml:1:1", "'name: value'"},
        {"log.level: info\n---\nlog.level: warn\n", "chancery.yaml:2:1", "second YAML document"},
        {"log:\n  level: loud\n", "chancery.yaml:2:3", "one of debug, info, warn, error"},
        {"http.body_bytes_max: 1KB\n", "chancery.yaml:1:1", "must be 1KiB to 1GiB"},
        {"http.body_bytes_max: 1 furlong\n", "chancery.yaml:1:1", "a size such as"},
        {"http.idle: 0\n", "chancery.yaml:1:1", "must be 1s to 1h"},
        {"http.listen: localhost\n", "chancery.yaml:1:1", "HOST:PORT"},
        {"http.listen: ::1:8080\n", "chancery.yaml:1:1", "HOST:PORT"},
        {"http.listen: 127.0.0.1:70000\n", "chancery.yaml:1:1", "HOST:PORT"},
        {"http.public_url: example.org\n", "chancery.yaml:1:1", "http://"},
        {"http.public_url: http://\n", "chancery.yaml:1:1", "http://"},
        {"http.public_url: https://example.org/\n", "chancery.yaml:1:1", "without a slash"},
        {"ledger.legal_hold: maybe\n", "chancery.yaml:1:1", "true or false"},
        {"ledger.origin: \"a\\tb\"\n", "chancery.yaml:1:1", "without control characters"},
        {"ledger.witnesses: [a, [b]]\n", "chancery.yaml:1:23", "list of texts"},
        {"session:\n  idle: 2h\n  absolute: 1h\n", "chancery.yaml:2:3",
         "longer than session.absolute"},
        {"? [a]\n: b\n", "chancery.yaml:1:3", "must be a word"},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct world *w = world_new(cx, dir);

        write_file(cx, dir, "chancery.yaml", rows[i].text);
        check_issue(cx, w, rows[i].pointer, rows[i].detail);
    }
}

/* A wrong file is told whole, and also where a flag hides the wrong value. */
TEST(config_reports_everything_at_once)
{
    struct world *w = world_new(cx, dir);
    struct config c;

    write_file(cx, dir, "chancery.yaml", "http:\n  workers: 0\n  nonsense: 1\nlog.level: loud\n");
    add_flag(w, "http.workers", "3");
    w->environment[0] = "CHANCERY_HTTP_LOOPS=99";
    CHECK_ERR(config_load(cx, &w->sources, &c), ERR_CONFIG);
    CHECK_EQ(cx->issue_count, 4);
    CHECK_DETAIL("4 things are wrong");
}

TEST(config_good_files)
{
    struct world *w = world_new(cx, dir);
    struct config c;

    write_file(
        cx, dir, "chancery.yaml",
        "# nothing in this group\nlog:\n  # level: debug\n"
        "http:\n  listen: '[::1]:0'\n  idle: 90\n  body_bytes_max: 2 MB\n  behind_tls_proxy: yes\n"
        "shutdown_seconds: 25\n"
        "ledger:\n  witnesses:\n    - w+1+a https://w.example\n    - v+2+b https://v.example\n");
    CHECK_OK(config_load(cx, &w->sources, &c));
    CHECK_STR(c.http_listen, S("[::1]:0"));
    CHECK_EQ(c.http_idle_ns, INT64_C(90000000000));
    CHECK_EQ(c.http_body_bytes_max, 2000000);
    CHECK(c.http_behind_tls_proxy);
    CHECK_EQ(c.http_shutdown_ns, INT64_C(25000000000));
    CHECK_EQ(c.ledger_witnesses.count, 2);
    CHECK_STR(c.ledger_witnesses.items[1], S("v+2+b https://v.example"));
}

TEST(config_old_names_are_understood)
{
    static const char *const names[] = {"shutdown_seconds", "http.shutdown_seconds"};

    for (size_t i = 0; i < COUNT(names); i++) {
        struct world *w = world_new(cx, dir);
        struct config c;

        add_flag(w, names[i], "25");
        CHECK_OK(config_load(cx, &w->sources, &c));
        CHECK_EQ(c.http_shutdown_ns, INT64_C(25000000000));
    }
}

TEST(config_lists_from_variables_and_flags)
{
    struct world *w = world_new(cx, dir);
    struct config c;

    w->environment[0] = "CHANCERY_LEDGER_WITNESSES=a x, b y\nc z";
    CHECK_OK(config_load(cx, &w->sources, &c));
    CHECK_EQ(c.ledger_witnesses.count, 3);
    CHECK_STR(c.ledger_witnesses.items[2], S("c z"));
    add_flag(w, "ledger.witnesses", "d");
    add_flag(w, "ledger.witnesses", "e,f");
    CHECK_OK(config_load(cx, &w->sources, &c));
    CHECK_STR(format(cx, &c, CONFIG_KEY_ledger_witnesses), S("d, e, f"));
}

TEST(config_unknown_variables_are_errors)
{
    struct world *w = world_new(cx, dir);
    struct config c;

    w->environment[0] = "CHANCERY_HTTP_LISEN=127.0.0.1:1";
    check_issue(cx, w, "CHANCERY_HTTP_LISEN", "did you mean 'CHANCERY_HTTP_LISTEN'?");
    w->environment[0] = "CHANCERY_HTTP_LISTEN_FILE=/x"; /* not a secret */
    check_issue(cx, w, "CHANCERY_HTTP_LISTEN_FILE", "no variable of this name");
    w->environment[0] = "CHANCERY_ZZZZZZZZ=1";
    CHECK_ERR(config_load(cx, &w->sources, &c), ERR_CONFIG);
    CHECK(str_find(cx->issues[0].detail, S("did you mean")) == cx->issues[0].detail.n);
    w->environment[0] = "CHANCERY_URL=http://x";
    w->environment[1] = "CHANCERY_KEY=k";
    w->environment[2] = "CHANCERYX=1";
    CHECK_OK(config_load(cx, &w->sources, &c));
}

TEST(config_secrets_come_from_variable_file_or_credential)
{
    struct world *w = world_new(cx, dir);
    struct config c;

    write_file(cx, dir, "vault.master_key", "from-credential\n");
    write_file(cx, dir, "key.txt", "from-file\n");
    w->environment[0] = arena_printf(cx->mem, "CREDENTIALS_DIRECTORY=%s", dir).p;
    CHECK_OK(config_load(cx, &w->sources, &c));
    CHECK_STR(c.vault_master_key, S("from-credential"));
    CHECK_EQ(c.origin[CONFIG_KEY_vault_master_key].level, CONFIG_FROM_CREDENTIAL);

    w->environment[1] = arena_printf(cx->mem, "CHANCERY_VAULT_MASTER_KEY_FILE=%s/key.txt", dir).p;
    CHECK_OK(config_load(cx, &w->sources, &c));
    CHECK_STR(c.vault_master_key, S("from-file"));

    w->environment[2] = "CHANCERY_VAULT_MASTER_KEY=direct";
    check_issue(cx, w, "CHANCERY_VAULT_MASTER_KEY_FILE", "leave one of them out");
    w->environment[1] = "CHANCERY_HTTP_LOOPS=2";
    CHECK_OK(config_load(cx, &w->sources, &c));
    CHECK_STR(c.vault_master_key, S("direct"));

    w->environment[2] = "CHANCERY_VAULT_MASTER_KEY_FILE=/nonexistent/key";
    check_issue(cx, w, "CHANCERY_VAULT_MASTER_KEY_FILE", "cannot be read");
    add_flag(w, "vault.master_key", "seen-by-all");
    check_issue(cx, w, "--vault.master_key", "CHANCERY_VAULT_MASTER_KEY_FILE");
}

/* Neither formatting nor an error message may hold the secret. */
TEST(config_secrets_are_never_printed)
{
    struct world *w = world_new(cx, dir);
    struct config c;
    CLEANUP(buf_close) struct buf b = BUF(1 << 20);

    config_defaults(cx, &c);
    CHECK_STR(format(cx, &c, CONFIG_KEY_vault_master_key), S("(secret, not set)"));
    w->environment[0] = "CHANCERY_VAULT_MASTER_KEY=hunter2";
    CHECK_OK(config_load(cx, &w->sources, &c));
    CHECK_STR(format(cx, &c, CONFIG_KEY_vault_master_key), S("(secret, set)"));
    config_format_json(&b, &c, CONFIG_KEY_vault_master_key);
    CHECK_STR(buf_str(&b), S("\"(secret, set)\""));

    w->environment[0] = "CHANCERY_VAULT_MASTER_KEY=hunter2\x01";
    CHECK_ERR(config_load(cx, &w->sources, &c), ERR_CONFIG);
    CHECK(str_find(str_from(cx->detail), S("hunter2")) == strlen(cx->detail));
}

/* What is shown can be given back. */
TEST(config_formatted_values_read_back)
{
    struct config c, again;
    struct world *w = world_new(cx, dir);

    add_flag(w, "http.body_bytes_max", "1536");
    add_flag(w, "http.idle", "1500ms");
    add_flag(w, "ledger.retention", "2555d");
    add_flag(w, "dedup.ids", "123456789");
    add_flag(w, "ledger.witnesses", "a,b");
    CHECK_OK(config_load(cx, &w->sources, &c));
    CHECK_STR(format(cx, &c, CONFIG_KEY_http_body_bytes_max), S("1536"));
    CHECK_STR(format(cx, &c, CONFIG_KEY_http_idle), S("1500ms"));
    CHECK_STR(format(cx, &c, CONFIG_KEY_ledger_retention), S("2555d"));
    for (size_t i = 0; i < CONFIG_KEY_COUNT; i++) {
        struct world *v = world_new(cx, dir);
        CLEANUP(buf_close) struct buf name = BUF(256);

        if (config_rows[i].flags & CONFIG_SECRET)
            continue;
        config_put_variable(&name, (enum config_key)i);
        buf_put_char(&name, '=');
        buf_put(&name, format(cx, &c, (enum config_key)i));
        v->environment[0] = name.p;
        CHECK_OK(config_load(cx, &v->sources, &again));
        CHECK_STR(format(cx, &again, (enum config_key)i), format(cx, &c, (enum config_key)i));
    }
}

TEST(config_reload_takes_live_settings_and_names_the_others)
{
    struct world *w = world_new(cx, dir);
    struct config running;
    CLEANUP(buf_close) struct buf restart = BUF(4096);

    CHECK_OK(config_load(cx, &w->sources, &running));
    write_file(cx, dir, "chancery.yaml", "log.level: debug\nhttp:\n  loops: 7\n  workers: 9\n");
    CHECK_OK(config_reload(cx, &w->sources, &running, &restart));
    CHECK_STR(running.log_level, S("debug"));
    CHECK_EQ(running.origin[CONFIG_KEY_log_level].level, CONFIG_FROM_FILE);
    CHECK_EQ(running.http_loops, 2);
    CHECK_STR(buf_str(&restart), S("http.loops http.workers"));
    write_file(cx, dir, "chancery.yaml", "log.level: loud\n");
    CHECK_ERR(config_reload(cx, &w->sources, &running, &restart), ERR_CONFIG);
    CHECK_STR(running.log_level, S("debug"));
}

/* docs/configuration.md is the table of settings: chancery config docs >docs/configuration.md */
TEST(config_documentation_is_up_to_date)
{
    CLEANUP(buf_close) struct buf b = BUF(1 << 20);
    str stored;

    config_docs(&b);
    CHECK(buf_ok(&b));
    CHECK_OK(fs_read_all(cx, fs_real(), "docs/configuration.md", 1 << 20, &stored));
    CHECK_STR(stored, buf_str(&b));
}

/* A file of anything is read or refused, never more. */
TEST(config_survives_strange_files)
{
    static const char *const texts[] = {
        "",
        "\n",
        "~\n",
        "\xff\xfe",
        "%YAML 9.9\n---\n",
        "&a [*a]\n",
        "a: &a {a: *a}\n",
        "http: &h {loops: *h}\n",
        "!!binary x\n",
        "\"\\0\": 1\n",
        "{{{{{{{{{{{{{{{{{{",
        "a: b: c\n",
        "'",
        "\xef\xbb\xbflog.level: info\n",
        "http: &x\n  loops: 2\n<<: *x\n",
    };

    for (size_t i = 0; i < COUNT(texts); i++) {
        struct world *w = world_new(cx, dir);
        struct config c;
        err e;

        write_file(cx, dir, "chancery.yaml", texts[i]);
        e = config_load(cx, &w->sources, &c);
        CHECK(e == ERR_OK || e == ERR_CONFIG);
    }
}

TEST(suggestions_are_near_or_none)
{
    static const char *const names[] = {"listen", "loops", "workers", "completion"};
    static const struct {
        const char *word, *want;
    } rows[] = {{"lisen", "listen"},
                {"lopos", "loops"},
                {"wrkers", "workers"},
                {"comp", "completion"},
                {"zebra", NULL},
                {"", NULL},
                {"x", NULL}};

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct suggestion s = suggest_begin(str_from(rows[i].word));

        for (size_t j = 0; j < COUNT(names); j++)
            suggest_try(&s, str_from(names[j]));
        CHECK_STR(s.best, str_from(rows[i].want));
    }
}
