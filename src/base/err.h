/* err.h - one enumeration of everything that can fail, one way to fail, one way to pass it on.
 *
 * Fallible functions return `err`.  The place where something goes wrong calls fail() once, which
 * notes the detail in the context; everyone between there and the edge says TRY(). */
#pragma once
#include "base/macros.h"
#include <stdbool.h>

struct ctx;

typedef enum __attribute__((warn_unused_result)) err {
    ERR_OK,
#define X(name, http, exit, retry, text) ERR_##name,
#include "base/err.def"
#undef X
    ERR_COUNT,
} err;

/* Note code and detail in `cx` and return the code.  The detail says which thing and where. */
err fail(struct ctx *cx, err code, const char *fmt, ...) PRINTF(3, 4);
/* As fail(), with ": " and the text of errno; ENOSPC, EDQUOT become NO_SPACE whatever `code` is. */
err fail_errno(struct ctx *cx, err code, const char *fmt, ...) PRINTF(3, 4);

#ifdef __clang_analyzer__
/* The analyser does not know that no failure is ERR_OK; this lets it see. */
#define fail(cx, code, ...) ((void)(fail)((cx), (code), __VA_ARGS__), (code))
#define fail_errno(cx, code, ...) ((void)(fail_errno)((cx), (code), __VA_ARGS__), (code))
#endif

const char *err_name(err e); /* "NOT_FOUND"; static */
const char *err_text(err e); /* the meaning; static */
int err_http_status(err e);  /* 200 for ERR_OK */
int err_exit_status(err e);  /* 0 for ERR_OK */
bool err_is_retryable(err e);

/* The one macro of the program that returns. */
#define TRY(call)                                                                                  \
    do {                                                                                           \
        err e_ = (call);                                                                           \
        if (UNLIKELY(e_ != ERR_OK))                                                                \
            return e_;                                                                             \
    } while (0)

/* For an error that has no consequence here (a clean-up on the way out of another failure). */
static inline void err_ignore(err e)
{
    (void)e;
}
