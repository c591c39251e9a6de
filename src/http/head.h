/* head.h - is the head of a request exactly what RFC 9112 allows?
 *
 * libmicrohttpd forgives much: a bare LF or a NUL as the end of a line, folded lines, several
 * blanks, repeated headers.  A proxy in front may read the same bytes otherwise, which is how
 * requests are smuggled.  The library cuts the head in place, so its bytes can still be read: this
 * walks them from the first to the last and refuses whatever a strict parser would not have
 * produced.
 *
 * A head as the library leaves it, `0` standing for a NUL byte that was ' ', ':', CR or LF:
 *     METHOD 0 target 0 HTTP/1.1 0 0  Name 0 ␣value 0 0  Name 0 ␣value 0 0  0 0
 * An extra or missing NUL is a byte that was not there or should not have been.  (One thing cannot
 * be told: NUL LF from CR LF.)
 *
 * Pure: no I/O, no globals, any thread. */
#pragma once
#include "http/message.h"

struct head {
    str method;
    str target;             /* origin form: starts with '/', or is "*" */
    struct header *headers; /* given by the caller: room for REQUEST_HEADERS_MAX */
    size_t header_count;
    int64_t content_length; /* -1: chunked; 0: no body */
    bool http10;
    bool expects_continue;
};

/* `cut` is the head in the form above and stays borrowed by `out`; `target` the request target
 * before the library took it apart (its bytes in `cut` only have to have that length).  INVALID
 * (answer 400 and close), HEADERS_TOO_LARGE. */
err head_read(struct ctx *cx, str cut, str target, struct head *out);
/* Make that form of raw bytes up to and with the empty line, as the library would: for tests,
 * fuzzing and the socketless harness.  Null when the library itself would refuse: no empty line, a
 * line without a colon.  In the arena `mem`. */
str head_cut(struct arena *mem, str raw, str *out_target);
