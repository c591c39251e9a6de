/* vault_key.c - finding and making the vault's master key: 32 bytes, written as base64. */
#include "access/vault.h"
#include "base/encode.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { KEY_FILE_BYTES_MAX = 256, KEY_TEXT_SIZE = BASE64_BYTES(SEAL_KEY_BYTES) + 1 };

struct vault_key_source vault_key_source(const char *data_dir)
{
    return (struct vault_key_source){
        .text = getenv("CHANCERY_VAULT_MASTER_KEY"),
        .file = getenv("CHANCERY_VAULT_MASTER_KEY_FILE"),
        .credentials_dir = getenv("CREDENTIALS_DIRECTORY"),
        .data_dir = data_dir,
    };
}

static err parse(struct ctx *cx, str text, const char *where, struct seal_key *out)
{
    struct seal_key key;
    size_t n;
    bool good =
        base64_decode(str_trim(text), key.bytes, sizeof key.bytes, &n) && n == sizeof key.bytes;

    if (good)
        *out = key;
    seal_key_wipe(&key);
    return good ? ERR_OK
                : fail(cx, ERR_CONFIG, "%s: a master key is base64 of %d bytes", where,
                       SEAL_KEY_BYTES);
}

static err load_file(struct ctx *cx, struct fs fs, const char *path, struct seal_key *out)
{
    str text;

    TRY(fs_read_all(cx, fs, path, KEY_FILE_BYTES_MAX, &text));
    err e = parse(cx, text, path, out);
    secret_wipe_str(&text);
    return e;
}

/* Our own file: a key that others can read is no longer one.  Files of the environment and of
 * systemd are as those who run us made them. */
static err check_mode(struct ctx *cx, const char *path)
{
    struct stat st;

    if (stat(path, &st) != 0)
        return fail_errno(cx, ERR_IO, "%s", path);
    if (st.st_mode & (S_IRWXG | S_IRWXO))
        return fail(cx, ERR_CONFIG, "%s: others may use it (mode %03o); do: chmod 600 %s", path,
                    (unsigned)(st.st_mode & 0777), path);
    if (st.st_uid != geteuid())
        return fail(cx, ERR_CONFIG, "%s: it belongs to another user", path);
    return ERR_OK;
}

static const char *join(struct ctx *cx, const char *dir, const char *name)
{
    return arena_printf(cx->mem, "%s/%s", dir, name).p;
}

err vault_key_load(struct ctx *cx, struct fs fs, const struct vault_key_source *source,
                   struct seal_key *out)
{
    if (source->text)
        return parse(cx, str_from(source->text), "CHANCERY_VAULT_MASTER_KEY", out);
    if (source->file)
        return load_file(cx, fs, source->file, out);
    const char *path =
        source->credentials_dir ? join(cx, source->credentials_dir, "vault.master_key") : NULL;
    if (path && fs_exists(fs, path))
        return load_file(cx, fs, path, out);
    path = source->data_dir ? join(cx, source->data_dir, "vault.key") : NULL;
    if (!path || !fs_exists(fs, path))
        return fail(cx, ERR_NOT_FOUND, "%s: there is no master key for the vault",
                    path ? path : "vault.key");
    TRY(check_mode(cx, path));
    return load_file(cx, fs, path, out);
}

err vault_key_create(struct ctx *cx, struct fs fs, const char *data_dir, struct seal_key *out)
{
    char text[KEY_TEXT_SIZE + 1];
    struct seal_key key;

    if (fs_exists(fs, join(cx, data_dir, "vault.key")))
        return fail(cx, ERR_CONFLICT, "%s/vault.key is there already", data_dir);
    seal_key_generate(&key);
    base64_encode(key.bytes, sizeof key.bytes, text);
    text[KEY_TEXT_SIZE - 1] = '\n';
    err e = fs_replace(cx, fs, data_dir, "vault.key", (str){text, KEY_TEXT_SIZE});
    if (e == ERR_OK)
        *out = key;
    seal_key_wipe(&key);
    secret_wipe(text, sizeof text);
    return e;
}
