/* sha256_batch.c - leaf and node hashes of many messages, several at a time.
 *
 * A message is cut into blocks without copying it: block 0 (the prefix byte shifts everything by
 * one) and the last one or two (padding) are built in a small scratch, the others are read where
 * the entry lies.  Messages of one group run in lockstep, so they are first sorted by block count.
 */
#include "crypto/sha256_kernel.h"
#include <endian.h>
#include <pthread.h>

enum { CHUNK = 256, BLOCKS_SORTED_MAX = 255 };

_Alignas(64) const uint32_t sha256_round_constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static const uint32_t initial_words[SHA256_WORDS] = {
    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
};

#ifdef __x86_64__
const struct sha256_kernel *const sha256_kernels[] = {
    &sha256_kernel_avx512,
    &sha256_kernel_shani,
    NULL,
};
#else
const struct sha256_kernel *const sha256_kernels[] = {NULL};
#endif

/* What this processor can do: written once, then only read. */
static const struct sha256_kernel *supported[COUNT(sha256_kernels)];
static pthread_once_t supported_once = PTHREAD_ONCE_INIT;

static void find_supported(void)
{
    size_t n = 0;

    for (size_t i = 0; sha256_kernels[i]; i++)
        if (sha256_kernels[i]->is_supported())
            supported[n++] = sha256_kernels[i];
}

static const struct sha256_kernel *const *kernels_here(void)
{
    pthread_once(&supported_once, find_supported);
    return supported;
}

static void lanes_begin(const struct sha256_kernel *k, struct sha256_lanes *s)
{
    for (size_t w = 0; w < SHA256_WORDS; w++)
        for (size_t lane = 0; lane < k->lanes; lane++)
            s->words[k->word_at[w] + lane * k->lane_step] = initial_words[w];
}

static void lane_digest(const struct sha256_kernel *k, const struct sha256_lanes *s, size_t lane,
                        struct hash *out)
{
    for (size_t w = 0; w < SHA256_WORDS; w++) {
        uint32_t big_endian = htobe32(s->words[k->word_at[w] + lane * k->lane_step]);

        memcpy(out->bytes + 4 * w, &big_endian, 4);
    }
}

/* One leaf on its way through a lane: 00 || entry || 80 || 00... || length in bits. */
struct leaf_lane {
    const uint8_t *entry;
    size_t data_blocks; /* blocks full of data; the first is in `head` */
    size_t blocks;      /* all of them */
    uint8_t head[SHA256_BLOCK_BYTES];
    uint8_t tail[2 * SHA256_BLOCK_BYTES];
};

static size_t leaf_blocks(size_t entry_bytes)
{
    return (1 + entry_bytes + 8) / SHA256_BLOCK_BYTES + 1;
}

static void leaf_lane_begin(struct leaf_lane *l, str entry)
{
    size_t message_bytes = 1 + entry.n;
    size_t rest = message_bytes % SHA256_BLOCK_BYTES;
    uint64_t bits = htobe64((uint64_t)message_bytes * 8);
    size_t tail_bytes;

    l->entry = (const uint8_t *)entry.p;
    l->data_blocks = message_bytes / SHA256_BLOCK_BYTES;
    l->blocks = leaf_blocks(entry.n);
    tail_bytes = (l->blocks - l->data_blocks) * SHA256_BLOCK_BYTES;
    memset(l->tail, 0, sizeof(l->tail));
    if (l->data_blocks > 0) {
        l->head[0] = 0x00;
        memcpy(l->head + 1, entry.p, SHA256_BLOCK_BYTES - 1);
        memcpy(l->tail, entry.p + entry.n - rest, rest);
    } else if (entry.n > 0) {
        memcpy(l->tail + 1, entry.p, entry.n);
    }
    l->tail[rest] = 0x80;
    memcpy(l->tail + tail_bytes - 8, &bits, 8);
}

/* Beyond its last block a lane gets any block: its digest has been taken. */
static const uint8_t *leaf_lane_block(const struct leaf_lane *l, size_t block)
{
    if (block >= l->blocks)
        return l->tail;
    if (block >= l->data_blocks)
        return l->tail + SHA256_BLOCK_BYTES * (block - l->data_blocks);
    return block == 0 ? l->head : l->entry + SHA256_BLOCK_BYTES * block - 1;
}

/* Entries of a chunk in the order of their block counts. */
struct leaf_order {
    const str *entries;
    struct hash *out;
    size_t count;
    uint8_t index[CHUNK];
};

/* While block `block` of a group is computed, fetch the same of the group that begins at `from`. */
static void leaf_order_prefetch(const struct leaf_order *order, size_t from, size_t n, size_t block)
{
    for (size_t i = from; i < size_min(from + n, order->count); i++) {
        str entry = order->entries[order->index[i]];

        if (block * SHA256_BLOCK_BYTES < entry.n)
            __builtin_prefetch(entry.p + block * SHA256_BLOCK_BYTES);
    }
}

/* The leaves order[from, from + n), n <= lanes, all together. */
static void hash_leaf_group(const struct sha256_kernel *k, const struct leaf_order *order,
                            size_t from, size_t n)
{
    struct sha256_lanes state;
    struct leaf_lane lanes[SHA256_LANES_MAX];
    const uint8_t *blocks[SHA256_LANES_MAX];
    size_t blocks_max = 0;

    for (size_t i = 0; i < n; i++) {
        leaf_lane_begin(&lanes[i], order->entries[order->index[from + i]]);
        blocks_max = size_max(blocks_max, lanes[i].blocks);
    }
    lanes_begin(k, &state);
    for (size_t block = 0; block < blocks_max; block++) {
        for (size_t i = 0; i < k->lanes; i++)
            blocks[i] = leaf_lane_block(&lanes[i < n ? i : 0], block);
        k->compress(&state, blocks);
        leaf_order_prefetch(order, from + n, n, block);
        for (size_t i = 0; i < n; i++)
            if (lanes[i].blocks == block + 1)
                lane_digest(k, &state, i, &order->out[order->index[from + i]]);
    }
}

/* Lockstep costs the longest message times the kernel's price, whatever the others do. */
static bool group_is_worth(const struct sha256_kernel *k, const struct leaf_order *order,
                           size_t from, size_t n)
{
    size_t sum = 0, longest = 0;

    for (size_t i = from; i < from + n; i++) {
        size_t blocks = leaf_blocks(order->entries[order->index[i]].n);

        sum += blocks;
        longest = size_max(longest, blocks);
    }
    return sum >= longest * k->lanes_worth;
}

/* Hash the leaves that come next and tell how many they were. */
static size_t hash_leaves_next(const struct sha256_kernel *const *kernels,
                               const struct leaf_order *order, size_t from)
{
    for (; *kernels; kernels++) {
        size_t n = size_min(order->count - from, (*kernels)->lanes);

        if (group_is_worth(*kernels, order, from, n)) {
            hash_leaf_group(*kernels, order, from, n);
            return n;
        }
    }
    hash_leaf(order->entries[order->index[from]], &order->out[order->index[from]]);
    return 1;
}

/* A counting sort; the few messages beyond BLOCKS_SORTED_MAX share the last place. */
static void leaf_order_sort(struct leaf_order *order)
{
    uint16_t place[BLOCKS_SORTED_MAX + 2] = {0};
    uint8_t key[CHUNK];

    for (size_t i = 0; i < order->count; i++) {
        key[i] = (uint8_t)size_min(leaf_blocks(order->entries[i].n), BLOCKS_SORTED_MAX);
        place[key[i] + 1]++;
    }
    for (size_t b = 1; b < COUNT(place); b++)
        place[b] = (uint16_t)(place[b] + place[b - 1]);
    for (size_t i = 0; i < order->count; i++)
        order->index[place[key[i]]++] = (uint8_t)i;
}

void hash_leaves_with(const struct sha256_kernel *const *kernels, const str *entries, size_t n,
                      struct hash *out)
{
    while (n > 1) {
        size_t chunk = size_min(n, CHUNK);
        struct leaf_order order = {.entries = entries, .out = out, .count = chunk};

        leaf_order_sort(&order);
        for (size_t i = 0; i < chunk;)
            i += hash_leaves_next(kernels, &order, i);
        entries += chunk;
        out += chunk;
        n -= chunk;
    }
    if (n == 1)
        hash_leaf(*entries, out);
}

/* A node's message is 01 || left || right: one full block, then one byte, padding and length. */
struct node_lane {
    uint8_t blocks[2 * SHA256_BLOCK_BYTES];
};

static void node_lanes_begin(struct node_lane *lanes, size_t n)
{
    const uint64_t bits = htobe64((1 + 2 * HASH_BYTES) * 8);

    for (size_t i = 0; i < n; i++) {
        memset(lanes[i].blocks, 0, sizeof(lanes[i].blocks));
        lanes[i].blocks[0] = 0x01;
        lanes[i].blocks[1 + 2 * HASH_BYTES] = 0x80;
        memcpy(lanes[i].blocks + sizeof(lanes[i].blocks) - 8, &bits, 8);
    }
}

static void hash_node_group(const struct sha256_kernel *k, struct node_lane *lanes,
                            const struct hash *pairs, size_t n, struct hash *out)
{
    struct sha256_lanes state;
    const uint8_t *blocks[SHA256_LANES_MAX];

    for (size_t i = 0; i < n; i++)
        memcpy(lanes[i].blocks + 1, &pairs[2 * i], 2 * HASH_BYTES);
    lanes_begin(k, &state);
    for (size_t i = 0; i < k->lanes; i++)
        blocks[i] = lanes[i < n ? i : 0].blocks;
    k->compress(&state, blocks);
    for (size_t i = 0; i < k->lanes; i++)
        blocks[i] += SHA256_BLOCK_BYTES;
    k->compress(&state, blocks);
    for (size_t i = 0; i < n; i++)
        lane_digest(k, &state, i, &out[i]);
}

void hash_nodes_with(const struct sha256_kernel *const *kernels, const struct hash *pairs, size_t n,
                     struct hash *out)
{
    struct node_lane lanes[SHA256_LANES_MAX];
    size_t i = 0;

    node_lanes_begin(lanes, size_min(n, SHA256_LANES_MAX));
    for (; *kernels; kernels++) {
        for (; n - i >= (*kernels)->lanes_worth && i < n;) {
            size_t group = size_min(n - i, (*kernels)->lanes);

            hash_node_group(*kernels, lanes, pairs + 2 * i, group, out + i);
            i += group;
        }
    }
    for (; i < n; i++)
        hash_node(&pairs[2 * i], &pairs[2 * i + 1], &out[i]);
}

void hash_leaves(const str *entries, size_t n, struct hash *out)
{
    hash_leaves_with(kernels_here(), entries, n, out);
}

void hash_nodes(const struct hash *pairs, size_t n, struct hash *out)
{
    hash_nodes_with(kernels_here(), pairs, n, out);
}
