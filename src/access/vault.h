/* vault.h - secrets at rest: a table of sealed values in a database of its own.
 *
 * What must never be in a log is here: hashes of passwords, keys and tokens, seeds.  Each value is
 * sealed (XChaCha20-Poly1305) under the master key with its kind and id as associated data, so a
 * changed byte and a value moved to another row are both noticed.  The first row, sealed too,
 * proves that the key at hand is the one that sealed the others.
 *
 * Threads: any.  Writes take turns and are durable when they return; they are no part of the
 * writer's transaction, so a secret is put before the event that makes it count, and one that no
 * event speaks of is worth nothing (access.c removes it at start).
 * Errors: CORRUPT (what and where), and those of store.h. */
#pragma once
#include "base/fs.h"
#include "base/shape.h"
#include "crypto/seal.h"
#include "store/store.h"

enum vault_kind {
#define X(name, text, doc) VAULT_##name,
#include "access/vault.def"
#undef X
    VAULT_KINDS,
};

struct vault;

struct vault_item {
    str id;
    str secret;
};

extern const struct migration vault_migrations[];

/* Make the tables and the first row; CONFLICT when there is one. */
err vault_create(struct ctx *cx, struct store *store, const struct seal_key *key);
/* Borrows `store` (STORE_DURABLE), copies the key.  CORRUPT: sealed under another key, no vault, or
 * changed.  Owned: vault_close(). */
err vault_open(struct ctx *cx, struct store *store, const struct seal_key *key, struct vault **out);
void vault_close(struct vault *v); /* forgets the key; NULL is a no-op */

/* Add or replace. */
err vault_put(struct ctx *cx, struct vault *v, enum vault_kind kind, str id, str secret);
/* All of them or none. */
err vault_put_all(struct ctx *cx, struct vault *v, enum vault_kind kind,
                  const struct vault_item *items, size_t count);
/* *out: arena `mem`; wipe it with secret_wipe_str().  NOT_FOUND. */
err vault_get(struct ctx *cx, struct vault *v, enum vault_kind kind, str id, str *out);
/* All of a kind in order of id, arena `mem`. */
err vault_list(struct ctx *cx, struct vault *v, enum vault_kind kind, struct vault_item **out,
               size_t *out_n);
err vault_delete(struct ctx *cx, struct vault *v, enum vault_kind kind, str id); /* absent: fine */

/* Look at every page and open every value; one text (arena `mem`) for each thing found wrong. */
err vault_verify(struct ctx *cx, struct vault *v, struct strs *out_faults);

/* ---- the master key ---- */

/* Where it may come from, in this order; NULL is nowhere. */
struct vault_key_source {
    const char *text;            /* CHANCERY_VAULT_MASTER_KEY: base64 of 32 bytes */
    const char *file;            /* CHANCERY_VAULT_MASTER_KEY_FILE */
    const char *credentials_dir; /* CREDENTIALS_DIRECTORY of systemd: its file vault.master_key */
    const char *data_dir;        /* its file vault.key, which must be its owner's alone */
};

struct vault_key_source vault_key_source(const char *data_dir); /* from the environment */
/* NOT_FOUND: nowhere; CONFIG: no key, or a file that others can read. */
err vault_key_load(struct ctx *cx, struct fs fs, const struct vault_key_source *source,
                   struct seal_key *out);
/* Make <data_dir>/vault.key; CONFLICT when it is there. */
err vault_key_create(struct ctx *cx, struct fs fs, const char *data_dir, struct seal_key *out);
