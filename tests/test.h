/* test.h - what every test file includes.
 *
 *   TEST(name_says_the_promise) { CHECK_OK(thing(cx)); CHECK_EQ(a, b); }
 *
 * Tests register themselves; each gets a fresh context `cx` and a fresh folder `dir`, removed
 * afterwards.  The executable takes test names (or parts of them) as arguments. */
#pragma once
#include "base/base.h"
#include "base/buf.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
/* after the four above */
#include <cmocka.h>
#undef fail /* base/err.h has the name; a test says CHECK(false) */

typedef void test_fn(struct ctx *cx, const char *dir);
void test_register(const char *name, const char *file, test_fn *run);

#define TEST(name)                                                                                 \
    static void name(struct ctx *cx, const char *dir);                                             \
    __attribute__((constructor)) static void register_##name(void)                                 \
    {                                                                                              \
        test_register(#name, __FILE__, name);                                                      \
    }                                                                                              \
    static void name(__attribute__((unused)) struct ctx *cx,                                       \
                     __attribute__((unused)) const char *dir)

#define CHECK(condition) assert_true(condition)
#define CHECK_EQ(a, b) assert_int_equal((a), (b))
#define CHECK_STR(a, b) test_check_str((a), (b), __FILE__, __LINE__)
#define CHECK_OK(call) test_check_err(cx, (call), ERR_OK, #call, __FILE__, __LINE__)
#define CHECK_ERR(call, code) test_check_err(cx, (call), (code), #call, __FILE__, __LINE__)
/* The last failure's detail holds this text. */
#define CHECK_DETAIL(text)                                                                         \
    test_check_holds(str_from(cx->detail), str_from(text), __FILE__, __LINE__)
#define CHECK_HOLDS(s, text) test_check_holds((s), str_from(text), __FILE__, __LINE__)
/* Fail with a reason. */
#define FAIL(...)                                                                                  \
    do {                                                                                           \
        print_error(__VA_ARGS__);                                                                  \
        print_error("\n");                                                                         \
        CHECK(false);                                                                              \
    } while (0)
/* Say that a test cannot run here, and why. */
#define SKIP(why)                                                                                  \
    do {                                                                                           \
        print_message("skipped: %s\n", why);                                                       \
        skip();                                                                                    \
    } while (0)

void test_check_err(struct ctx *cx, err got, err want, const char *call, const char *file,
                    int line);
void test_check_str(str a, str b, const char *file, int line);
void test_check_holds(str s, str text, const char *file, int line);
/* "<dir>/<name>" in the arena of cx. */
const char *test_path(struct ctx *cx, const char *dir, const char *name);
