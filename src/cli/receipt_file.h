/* receipt_file.h - what people hold in their hands when they check a receipt: files in which a
 * proof, an entry or a key may be wrapped.  Pure but for the texts it is given.  Inner header of
 * cli/check.c
 */
#pragma once
#include "base/json.h"
#include "crypto/sha256.h"

struct receipt_file {
    str proof;     /* the tlog-proof */
    bool has_leaf; /* the answer that held the proof tells the leaf hash too */
    struct hash leaf;
};

/* A tlog-proof, or a JSON answer with it in the member `proof`.  Arena `mem`.  INVALID. */
err receipt_file_read(struct ctx *cx, str text, struct receipt_file *out);
/* The bytes of an entry: the text itself, or what GET /api/v1/events/{index} answered around it. */
err entry_file_read(struct ctx *cx, str text, str *out);
/* A leaf hash in hexadecimal or base64. */
bool leaf_read(str text, struct hash *out);
