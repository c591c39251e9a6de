/* note.h - signed notes (c2sp.org/signed-note), verifier keys and cosignatures.
 *
 * A note is a text that ends in a newline, a blank line, and signature lines
 *   — <name> base64(key id, 4 bytes big-endian || signature)
 * A signature is trusted only when name and key id match a key the verifier was given.
 * What parses is formatted back to the same bytes.  Any thread.
 *
 * Errors: INVALID the form; TOO_LARGE past a limit below; UNPROCESSABLE an algorithm that is not
 * known here; FORBIDDEN a signature that does not hold, or none that is trusted. */
#pragma once
#include "base/base.h"
#include "base/buf.h"
#include "crypto/sign.h"

enum { NOTE_BYTES_MAX = 1000000, NOTE_SIGNATURES_MAX = 100, NOTE_NAME_BYTES_MAX = 1024 };

/* Signature type bytes that note.c has in its table. */
enum { NOTE_ED25519 = 0x01, NOTE_COSIGNATURE_V1 = 0x04 };

/* A key that signatures are checked with: the "vkey" `name+hex(key id)+base64(type || key)`. */
struct note_verifier {
    str name;
    str public_key;
    uint32_t key_id;
    uint8_t algorithm;
};

/* A key that signs.  Holds the secret: note_signer_wipe(). */
struct note_signer {
    str name;
    struct ed25519_key key;
    uint32_t key_id;
    uint8_t algorithm;
};

struct note_signature {
    str name;
    str signature; /* behind the key id */
    uint32_t key_id;
};

struct note {
    str text; /* with its last newline, without the blank line */
    struct note_signature *signatures;
    size_t signature_count;
};

/* A signature that holds, by which of the known keys, and when (cosignatures; otherwise 0). */
struct note_verified {
    const struct note_verifier *verifier;
    uint64_t time_s;
};

bool note_name_is_valid(str name); /* not empty, UTF-8, no Unicode blank, no '+' */
/* SHA-256(name || '\n' || algorithm || public key), its first four bytes. */
uint32_t note_key_id(str name, uint8_t algorithm, str public_key);

/* *out: arena `mem`.  The key id in the text must be the right one. */
err note_verifier_parse(struct ctx *cx, str vkey, struct note_verifier *out);
void note_verifier_put(struct buf *b, const struct note_verifier *v);

/* `name` is borrowed for as long as the signer lives. */
err note_signer_init(struct ctx *cx, str name, uint8_t algorithm, const struct ed25519_key *key,
                     struct note_signer *out);
/* The public half; borrows from `s`. */
struct note_verifier note_signer_verifier(const struct note_signer *s);
/* Go's text form `PRIVATE+KEY+name+hex(key id)+base64(type || seed)`.  The name: arena `mem`. */
err note_signer_parse(struct ctx *cx, str text, struct note_signer *out);
void note_signer_put(struct buf *b, const struct note_signer *s);
void note_signer_wipe(struct note_signer *s);

/* Form only: nothing in it may be trusted yet.  Borrows from `note`; signatures: arena `mem`. */
err note_parse(struct ctx *cx, str note, struct note *out);
void note_put(struct buf *b, const struct note *note);

/* The signature line of `s` for `text`; `time_s` (seconds since 1970) counts for cosignatures. */
err note_signature_put(struct ctx *cx, struct buf *b, const struct note_signer *s, str text,
                       uint64_t time_s);
/* Text and one signature.  *out: arena `mem`. */
err note_sign(struct ctx *cx, str text, const struct note_signer *s, uint64_t time_s, str *out);

/* Check every signature by a known key: one that does not hold rejects the note, and so does the
 * absence of any.  Unknown keys are ignored.  `*out` (arena `mem`) has one item per known key that
 * signed, in the order of the signatures. */
err note_verify(struct ctx *cx, const struct note *note, const struct note_verifier *known,
                size_t known_count, struct note_verified **out, size_t *out_count);
