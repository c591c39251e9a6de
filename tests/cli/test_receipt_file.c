/* test_receipt_file.c - the forms in which people hold proofs and entries. */
#include "base/encode.h"
#include "cli/receipt_file.h"
#include "test.h"

#define LEAF "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"

TEST(receipt_is_a_text_or_an_answer_that_holds_it)
{
    struct receipt_file f;

    CHECK_OK(receipt_file_read(cx, S("c2sp.org/tlog-proof@v1\nindex 0\n"), &f));
    CHECK_STR(f.proof, S("c2sp.org/tlog-proof@v1\nindex 0\n"));
    CHECK(!f.has_leaf);
    CHECK_OK(receipt_file_read(
        cx, S("\n{\"receipt\":{\"index\":0,\"leaf_hash\":\"" LEAF "\"},\"proof\":\"a\\nb\"}"), &f));
    CHECK_STR(f.proof, S("a\nb"));
    CHECK(f.has_leaf && f.leaf.bytes[0] == 0x6e && f.leaf.bytes[31] == 0x1d);
    CHECK_OK(receipt_file_read(cx, S("{\"proof\":\"a\"}"), &f));
    CHECK(!f.has_leaf);
    CHECK_ERR(receipt_file_read(cx, S("{\"receipt\":{}}"), &f), ERR_INVALID);
    CHECK_DETAIL("wait=proof");
    CHECK_ERR(receipt_file_read(cx, S("{\"receipt\":"), &f), ERR_INVALID);
}

TEST(entry_is_its_bytes_or_what_the_api_puts_around_them)
{
    str out;

    CHECK_OK(entry_file_read(cx, S("{\"recorded\":\"x\", \"n\":1.0}\n"), &out));
    CHECK_STR(out, S("{\"recorded\":\"x\", \"n\":1.0}\n"));
    CHECK_OK(entry_file_read(
        cx, S("{\"index\":4,\"leaf_hash\":\"\",\"event\":{\"a\" : [1.50,\"}\"]}}\n"), &out));
    CHECK_STR(out, S("{\"a\" : [1.50,\"}\"]}"));
    CHECK_OK(entry_file_read(cx, S("{\"index\":4,\"event\":null,\"raw\":\"AAEC\"}"), &out));
    CHECK_STR(out, ((str){"\0\1\2", 3}));
    CHECK_ERR(entry_file_read(cx, S("{\"index\":4,\"event\":null,\"raw\":\"A\"}"), &out),
              ERR_INVALID);
    CHECK_OK(entry_file_read(cx, S("\xff no json"), &out));
    CHECK_STR(out, S("\xff no json"));
    CHECK_OK(entry_file_read(cx, S("{\"index\":4}"), &out));
    CHECK_STR(out, S("{\"index\":4}"));
}

TEST(leaf_is_hexadecimal_or_base64)
{
    struct hash a, b;
    char base64[BASE64_BYTES(HASH_BYTES) + 1];

    CHECK(leaf_read(S(LEAF), &a));
    base64_encode(a.bytes, HASH_BYTES, base64);
    CHECK(leaf_read(str_from(base64), &b));
    CHECK(hash_eq(&a, &b));
    CHECK(!leaf_read(S("6e34"), &a));
    CHECK(!leaf_read(S("AAAA"), &a));
}
