/* test_format.c - the worked example of docs/ledger-format.md is what the engine writes.
 *
 * A log of two entries is made; each block of the page that is marked "hex" or "text" with a name
 * must hold exactly what is made here.  When the format changes, this test prints the new block. */
#include "../sim_fs.h"
#include "../test.h"
#include "base/encode.h"
#include "ledger/checkpoint_file.h"
#include "ledger/ledger.h"
#include "ledger/ledger_folder.h"
#include <ctype.h>

#define PAGE "docs/ledger-format.md"
#define ORIGIN "example.com/log"
#define EVENT_US INT64_C(1795162530123456)  /* 2026-11-20T08:15:30.123456Z */
#define SIGNED_US INT64_C(1795162530200000) /* 2026-11-20T08:15:30.200000Z */

enum { LINE_BYTES = 16, BLOCK_BYTES_MAX = 1 << 16 };

static str page(struct ctx *cx)
{
    str text;

    CHECK_OK(fs_read_all(cx, fs_real(), PAGE, 1 << 20, &text));
    return text;
}

/* ```KIND NAME ... ``` must be in the page, word for word. */
static void check_block(struct ctx *cx, const char *kind, const char *name, str content)
{
    str block = arena_printf(cx->mem, "```%s %s\n%.*s```\n", kind, name, STR_FMT(content));
    str text = page(cx);

    if (str_find(text, block) == text.n)
        print_message("%s should have:\n%.*s", PAGE, STR_FMT(block));
    CHECK(str_find(text, block) < text.n);
}

/* As hexdump -C writes it. */
static str hex_lines(struct ctx *cx, str bytes)
{
    struct buf b = BUF(BLOCK_BYTES_MAX);

    for (size_t at = 0; at < bytes.n; at += LINE_BYTES) {
        size_t n = size_min(LINE_BYTES, bytes.n - at);
        buf_printf(&b, "%08zx ", at);
        for (size_t i = 0; i < LINE_BYTES; i++) {
            buf_put(&b, i == LINE_BYTES / 2 ? S("  ") : S(" "));
            if (i < n)
                hex_put(&b, bytes.p + at + i, 1);
            else
                buf_put(&b, S("  "));
        }
        buf_put(&b, S("  |"));
        for (size_t i = 0; i < n; i++) {
            unsigned char c = (unsigned char)bytes.p[at + i];
            buf_put_char(&b, c < 0x80 && isprint(c) ? (char)c : '.');
        }
        buf_put(&b, S("|\n"));
    }
    str lines = arena_str(cx->mem, buf_str(&b));
    buf_close(&b);
    return lines;
}

static str hex_of(struct ctx *cx, const struct hash *h)
{
    char text[2 * HASH_BYTES + 1];

    hex_encode(h->bytes, HASH_BYTES, text);
    return arena_printf(cx->mem, "%s\n", text);
}

static void make_signer(struct ctx *cx, struct note_signer *out)
{
    uint8_t seed[ED25519_SEED_BYTES];
    struct ed25519_key key;

    for (size_t i = 0; i < sizeof seed; i++)
        seed[i] = (uint8_t)i;
    ed25519_from_seed(seed, &key);
    CHECK_OK(note_signer_init(cx, S(ORIGIN), NOTE_ED25519, &key, out));
}

static void append_two(struct ctx *cx, struct ledger *l)
{
    static const char event[256] = "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/door/7\","
                                   "\"type\":\"door.opened\"}";
    struct entry_stamp stamp = {.recorded_us = EVENT_US, .principal = S("key/1")};
    struct json_parser *p = json_parser_open();
    struct entry_batch b, *one = &b;

    entry_batch_init(&b, 1 << 16);
    CHECK_OK(entry_add(cx, &b, p, str_from(event), &stamp));
    CHECK_OK(entry_add_opaque(cx, &b, S("any bytes"), EVENT_US));
    CHECK_OK(ledger_append(cx, l, &one, 1, NULL, NULL));
    entry_batch_close(&b);
    json_parser_close(p);
}

static str file(struct ctx *cx, struct fs fs, const char *name)
{
    str bytes;

    CHECK_OK(fs_read_all(cx, fs, arena_printf(cx->mem, "log/%s", name).p, 1 << 20, &bytes));
    return bytes;
}

/* The record as it would have been written at the page's time. */
static void check_checkpoint(struct ctx *cx, const struct note_signer *signer,
                             const struct hash *root)
{
    CLEANUP(buf_close) struct buf vkey = BUF(1000);
    struct note_verifier verifier = note_signer_verifier(signer);
    struct checkpoint_record r;
    char bytes[CHECKPOINT_RECORD_BYTES];

    checkpoint_record_sign(signer, S(ORIGIN), 2, root, SIGNED_US, &r);
    checkpoint_record_put(&r, bytes);
    check_block(cx, "hex", "checkpoints", hex_lines(cx, (str){bytes, sizeof bytes}));
    check_block(cx, "text", "checkpoint", checkpoint_record_note(cx, S(ORIGIN), &r));
    note_verifier_put(&vkey, &verifier);
    buf_put_char(&vkey, '\n');
    check_block(cx, "text", "vkey", buf_str(&vkey));
}

TEST(format_page_shows_what_is_written)
{
    struct sim_fs *sim = sim_open(1);
    struct fs fs = sim_fs(sim);
    struct note_signer signer;
    struct ledger *l;
    struct hash root;

    make_signer(cx, &signer);
    struct ledger_options options = {.fs = fs,
                                     .dir = "log",
                                     .origin = S(ORIGIN),
                                     .signer = &signer,
                                     .checkpoint_ns = INT64_MAX / 2,
                                     .unsealed_max = 2,
                                     .zstd_level = 1,
                                     .cache_bytes = 1 << 16};
    CHECK_OK(ledger_open(cx, &options, &l));
    append_two(cx, l);
    CHECK_OK(tree_root(cx, ledger_tree(l), 2, &root));
    ledger_close(l);
    check_block(cx, "hex", "segment-00000000.raw",
                hex_lines(cx, file(cx, fs, "segment-00000000.raw")));
    check_block(cx, "hex", "tree-0", hex_lines(cx, file(cx, fs, "tree-0")));
    CHECK_EQ(file(cx, fs, "tree-1").n, 0);
    check_block(cx, "text", "root", hex_of(cx, &root));
    check_checkpoint(cx, &signer, &root);
    check_block(cx, "text", "pruned", pruned_mark(cx->mem, 3));
    sim_close(sim);
}

/* The page's list of files is the folder's. */
TEST(format_page_names_every_file)
{
    struct sim_fs *sim = sim_open(1);
    struct note_signer signer;
    struct ledger *l;
    str *names, text = page(cx);
    size_t n;

    make_signer(cx, &signer);
    struct ledger_options options = {
        .fs = sim_fs(sim), .dir = "log", .origin = S(ORIGIN), .signer = &signer};
    CHECK_OK(ledger_open(cx, &options, &l));
    ledger_close(l);
    CHECK_OK(fs_list(cx, sim_fs(sim), "log", &names, &n));
    for (size_t i = 0; i < n; i++) {
        str row = arena_printf(cx->mem, "| `%.*s`", STR_FMT(names[i]));
        if (str_starts(names[i], S("segment-")))
            row = S("| `segment-NNNNNNNN.raw`");
        if (str_starts(names[i], S("tree-")))
            row = S("| `tree-0` to `tree-7`");
        CHECK_HOLDS(text, arena_z(cx->mem, row));
    }
    sim_close(sim);
}
