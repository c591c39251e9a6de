/* test.c - see test.h. */
#include "test.h"
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { TESTS_MAX = 2000 };

struct test {
    const char *name, *file;
    test_fn *run;
};

static struct test tests[TESTS_MAX];
static size_t test_count;

struct fixture {
    struct ctx *cx;
    char dir[64];
};

void test_register(const char *name, const char *file, test_fn *run)
{
    if (test_count < TESTS_MAX)
        tests[test_count++] = (struct test){name, file, run};
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st, (void)kind, (void)at;
    return remove(path);
}

static void run_one(void **state)
{
    const struct test *t = *state;
    struct fixture f = {.cx = ctx_open(0)};

    snprintf(f.dir, sizeof f.dir, "/tmp/chancery-test-XXXXXX");
    assert_non_null(mkdtemp(f.dir));
    t->run(f.cx, f.dir);
    nftw(f.dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    ctx_close(f.cx);
}

static bool wanted(const char *name, int argc, char **argv)
{
    bool any = argc < 2;

    for (int i = 1; i < argc; i++)
        any = any || strstr(name, argv[i]);
    return any;
}

int main(int argc, char **argv)
{
    static struct CMUnitTest units[TESTS_MAX];
    size_t n = 0;

    for (size_t i = 0; i < test_count; i++) {
        if (wanted(tests[i].name, argc, argv))
            units[n++] = (struct CMUnitTest){
                .name = tests[i].name, .test_func = run_one, .initial_state = &tests[i]};
    }
    return _cmocka_run_group_tests("tests", units, n, NULL, NULL) ? 1 : 0;
}

void test_check_err(struct ctx *cx, err got, err want, const char *call, const char *file, int line)
{
    if (got == want)
        return;
    print_error("%s:%d: %s gave %s (%s), not %s\n", file, line, call, err_name(got), cx->detail,
                err_name(want));
    _fail(file, line);
}

void test_check_str(str a, str b, const char *file, int line)
{
    if (str_eq(a, b))
        return;
    print_error("%s:%d: got  \"%.*s\"\n  wanted \"%.*s\"\n", file, line, STR_FMT(a), STR_FMT(b));
    _fail(file, line);
}

void test_check_holds(str s, str text, const char *file, int line)
{
    if (str_find(s, text) < s.n)
        return;
    print_error("%s:%d: \"%.*s\"\n  does not hold \"%.*s\"\n", file, line, STR_FMT(s),
                STR_FMT(text));
    _fail(file, line);
}

const char *test_path(struct ctx *cx, const char *dir, const char *name)
{
    return arena_printf(cx->mem, "%s/%s", dir, name).p;
}
