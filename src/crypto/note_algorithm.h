/* note_algorithm.h - the table of signature types; the inside of note.c and note_key.c.
 *
 * Another type is another row.  The keys that sign are Ed25519 in all rows so far. */
#pragma once
#include "crypto/note.h"

enum { NOTE_PUBLIC_BYTES_MAX = 1312, NOTE_SIGNATURE_BYTES_MAX = 8 + ED25519_SIGNATURE_BYTES };

struct note_algorithm {
    uint8_t id;
    size_t public_bytes;
    size_t signature_bytes;
    /* out: signature_bytes.  INVALID: a time that has no place in the signature. */
    err (*sign)(struct ctx *cx, const struct note_signer *s, str text, uint64_t time_s,
                uint8_t *out);
    /* Has `signature` (of the right size) been made by that key?  FORBIDDEN if not. */
    err (*verify)(struct ctx *cx, const struct note_verifier *v, str text, const uint8_t *signature,
                  uint64_t *out_time_s);
};

const struct note_algorithm *note_algorithm_find(uint8_t id); /* NULL: not known */
