/* json_write.h - writing JSON into a buffer.
 *
 * Commas take care of themselves: a value or key puts one unless the buffer is empty or ends with
 * an opening bracket, colon, comma or newline.  So: json_open(b,'{'); json_key(b,S("a"));
 * json_u64(b,1); json_close(b,'}').  Errors are the buffer's sticky failure. */
#pragma once
#include "base/buf.h"
#include "base/json.h"

void json_open(struct buf *b, char bracket);  /* '{' or '[' */
void json_close(struct buf *b, char bracket); /* '}' or ']' */
void json_key(struct buf *b, str key);
void json_put_str(struct buf *b, str s); /* null str: null; ill-formed UTF-8 becomes U+FFFD */
void json_put_u64(struct buf *b, uint64_t v);
void json_put_i64(struct buf *b, int64_t v);
void json_put_double(struct buf *b,
                     double v); /* shortest that reads back equal; not finite: null */
void json_put_bool(struct buf *b, bool v);
void json_put_null(struct buf *b);
void json_put_time(struct buf *b, int64_t us);
void json_put_raw(struct buf *b, str json);        /* trusted JSON text */
void json_put_value(struct buf *b, struct json v); /* a parsed value, written compactly again */

/* Member shorthands. */
void json_member_str(struct buf *b, str key, str v);
void json_member_u64(struct buf *b, str key, uint64_t v);
void json_member_i64(struct buf *b, str key, int64_t v);
void json_member_double(struct buf *b, str key, double v);
void json_member_bool(struct buf *b, str key, bool v);
void json_member_time(struct buf *b, str key, int64_t us);
void json_member_raw(struct buf *b, str key, str json);
