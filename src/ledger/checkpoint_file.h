/* checkpoint_file.h - every checkpoint ever signed, as fixed records of 128 bytes laid end to end.
 *
 *   offset  bytes
 *        0      8  size of the tree          (integers are little-endian)
 *        8      8  when it was signed, µs since 1970
 *       16     32  root
 *       48     64  Ed25519 signature over the checkpoint's text
 *      112      4  key id, as in the note
 *      116      4  zero
 *      120      8  XXH3-64 of bytes [0, 120)
 *
 * With origin and key name (the same) the signed note is put together again from a record. */
#pragma once
#include "base/fs.h"
#include "ledger/checkpoint.h"

enum { CHECKPOINT_RECORD_BYTES = 128 };

struct checkpoint_record {
    uint64_t size;
    int64_t signed_us;
    struct hash root;
    uint8_t signature[ED25519_SIGNATURE_BYTES];
    uint32_t key_id;
};

void checkpoint_record_put(const struct checkpoint_record *r, char out[CHECKPOINT_RECORD_BYTES]);
/* False when the checksum does not hold. */
bool checkpoint_record_get(const char in[CHECKPOINT_RECORD_BYTES], struct checkpoint_record *out);
/* Sign the tree's head. */
void checkpoint_record_sign(const struct note_signer *signer, str origin, uint64_t size,
                            const struct hash *root, int64_t now_us, struct checkpoint_record *out);
/* The signed note, arena `mem`. */
str checkpoint_record_note(struct ctx *cx, str origin, const struct checkpoint_record *r);
