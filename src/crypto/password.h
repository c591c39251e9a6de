/* password.h - password hashes by argon2id, in the PHC text form ("$argon2id$v=19$m=...").
 *
 * Hashing takes the time and memory that the options say, on purpose: call it from a worker, never
 * from an event loop.  Any thread. */
#pragma once
#include "base/base.h"

enum { PASSWORD_BYTES_MAX = 1024, PASSWORD_HASH_BYTES_MAX = 127 };

struct password_options {
    uint32_t memory_kib; /* at least 8 */
    uint32_t passes;     /* at least 1 */
};

#define PASSWORD_OPTIONS_DEFAULT ((struct password_options){.memory_kib = 64 * 1024, .passes = 2})

/* *out: arena `mem`.  TOO_LARGE: the password; BUSY: no memory to hash now; CONFIG: the options. */
err password_hash(struct ctx *cx, struct password_options options, str password, str *out);
/* False also for a hash that is not one. */
bool password_verify(str hash, str password);
/* Was `hash` made with other options than these (or is it no hash of ours)? */
bool password_needs_rehash(struct password_options options, str hash);
/* Takes as long as password_verify(): for names that do not exist, so that time does not tell.
 * Always false. */
bool password_verify_dummy(struct password_options options, str password);
