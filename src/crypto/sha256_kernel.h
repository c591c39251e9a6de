/* sha256_kernel.h - hashing several messages at once; the inside of sha256.c, seen also by its
 * tests.
 *
 * A kernel runs the SHA-256 compression function on `lanes` independent states with one block each.
 * Where word w of the state of lane l lies is its own affair, told by word_at[w] + l * lane_step.
 */
#pragma once
#include "crypto/sha256.h"

enum { SHA256_BLOCK_BYTES = 64, SHA256_LANES_MAX = 16, SHA256_WORDS = 8 };

extern const uint32_t sha256_round_constants[64];

struct sha256_lanes {
    _Alignas(64) uint32_t words[SHA256_WORDS * SHA256_LANES_MAX];
};

struct sha256_kernel {
    const char *name;
    size_t lanes;
    size_t lanes_worth; /* with fewer lanes at work another kernel is faster */
    uint8_t word_at[SHA256_WORDS];
    uint8_t lane_step;
    bool (*is_supported)(void);
    void (*compress)(struct sha256_lanes *s, const uint8_t *const blocks[]);
};

/* Best first; NULL-ended.  Empty where the processor family has none. */
extern const struct sha256_kernel *const sha256_kernels[];
extern const struct sha256_kernel sha256_kernel_avx512;
extern const struct sha256_kernel sha256_kernel_shani;

/* The batch functions with the kernels given (NULL-ended, may be empty), for tests and benchmarks.
 */
void hash_leaves_with(const struct sha256_kernel *const *kernels, const str *entries, size_t n,
                      struct hash *out);
void hash_nodes_with(const struct sha256_kernel *const *kernels, const struct hash *pairs, size_t n,
                     struct hash *out);
