/* sha256_avx512.c - sixteen SHA-256 compressions side by side in 512-bit registers.
 *
 * Register w holds word w of all sixteen messages, so every line of FIPS 180-4 section 6.2.2
 * becomes one line here.  vprord rotates and vpternlogd takes any three-input boolean function,
 * which makes the round 17 instructions for sixteen lanes. */
#include "crypto/sha256_kernel.h"
#ifdef __x86_64__
#include <immintrin.h>

#define AVX512 __attribute__((target("avx512f,avx512bw")))
#define INLINE static inline AVX512 __attribute__((always_inline))

/* Truth tables for vpternlogd: bit (4a + 2b + c) is the result for a, b, c. */
enum { XOR3 = 0x96, CHOOSE = 0xca, MAJORITY = 0xe8 };

INLINE __m512i add(__m512i a, __m512i b)
{
    return _mm512_add_epi32(a, b);
}

INLINE __m512i big_sigma0(__m512i x)
{
    return _mm512_ternarylogic_epi32(_mm512_ror_epi32(x, 2), _mm512_ror_epi32(x, 13),
                                     _mm512_ror_epi32(x, 22), XOR3);
}

INLINE __m512i big_sigma1(__m512i x)
{
    return _mm512_ternarylogic_epi32(_mm512_ror_epi32(x, 6), _mm512_ror_epi32(x, 11),
                                     _mm512_ror_epi32(x, 25), XOR3);
}

INLINE __m512i small_sigma0(__m512i x)
{
    return _mm512_ternarylogic_epi32(_mm512_ror_epi32(x, 7), _mm512_ror_epi32(x, 18),
                                     _mm512_srli_epi32(x, 3), XOR3);
}

INLINE __m512i small_sigma1(__m512i x)
{
    return _mm512_ternarylogic_epi32(_mm512_ror_epi32(x, 17), _mm512_ror_epi32(x, 19),
                                     _mm512_srli_epi32(x, 10), XOR3);
}

/* Four words of sixteen rows, one 128-bit lane of each, become four registers of one word each. */
INLINE void gather_lanes(const __m512i u[16], unsigned j, __m512i w[16])
{
    __m512i even01 = _mm512_shuffle_i32x4(u[j], u[4 + j], 0x88);
    __m512i even23 = _mm512_shuffle_i32x4(u[8 + j], u[12 + j], 0x88);
    __m512i odd01 = _mm512_shuffle_i32x4(u[j], u[4 + j], 0xdd);
    __m512i odd23 = _mm512_shuffle_i32x4(u[8 + j], u[12 + j], 0xdd);

    w[j] = _mm512_shuffle_i32x4(even01, even23, 0x88);
    w[4 + j] = _mm512_shuffle_i32x4(odd01, odd23, 0x88);
    w[8 + j] = _mm512_shuffle_i32x4(even01, even23, 0xdd);
    w[12 + j] = _mm512_shuffle_i32x4(odd01, odd23, 0xdd);
}

/* Rows 4g to 4g + 3 transposed within each 128-bit lane. */
INLINE void load_rows(const uint8_t *const blocks[], unsigned g, __m512i u[16])
{
    const __m512i swap =
        _mm512_broadcast_i32x4(_mm_set_epi8(12, 13, 14, 15, 8, 9, 10, 11, 4, 5, 6, 7, 0, 1, 2, 3));
    __m512i r0 = _mm512_shuffle_epi8(_mm512_loadu_si512(blocks[4 * g]), swap);
    __m512i r1 = _mm512_shuffle_epi8(_mm512_loadu_si512(blocks[4 * g + 1]), swap);
    __m512i r2 = _mm512_shuffle_epi8(_mm512_loadu_si512(blocks[4 * g + 2]), swap);
    __m512i r3 = _mm512_shuffle_epi8(_mm512_loadu_si512(blocks[4 * g + 3]), swap);
    __m512i low01 = _mm512_unpacklo_epi32(r0, r1), high01 = _mm512_unpackhi_epi32(r0, r1);
    __m512i low23 = _mm512_unpacklo_epi32(r2, r3), high23 = _mm512_unpackhi_epi32(r2, r3);

    u[4 * g] = _mm512_unpacklo_epi64(low01, low23);
    u[4 * g + 1] = _mm512_unpackhi_epi64(low01, low23);
    u[4 * g + 2] = _mm512_unpacklo_epi64(high01, high23);
    u[4 * g + 3] = _mm512_unpackhi_epi64(high01, high23);
}

INLINE void load_words(const uint8_t *const blocks[], __m512i w[16])
{
    __m512i u[16];

    load_rows(blocks, 0, u);
    load_rows(blocks, 1, u);
    load_rows(blocks, 2, u);
    load_rows(blocks, 3, u);
    gather_lanes(u, 0, w);
    gather_lanes(u, 1, w);
    gather_lanes(u, 2, w);
    gather_lanes(u, 3, w);
}

/* Round t with the working variables named in the order they have in that round. */
#define ROUND(a, b, c, d, e, f, g, h, w, k)                                                        \
    do {                                                                                           \
        __m512i t1_ = add(add(h, add(w, _mm512_set1_epi32((int)(k)))),                             \
                          add(big_sigma1(e), _mm512_ternarylogic_epi32(e, f, g, CHOOSE)));         \
        d = add(d, t1_);                                                                           \
        h = add(t1_, add(big_sigma0(a), _mm512_ternarylogic_epi32(a, b, c, MAJORITY)));            \
    } while (0)
/* The word that takes the place of W[i] sixteen rounds later. */
#define EXTEND(i)                                                                                  \
    w[i] = add(add(w[i], small_sigma0(w[((i) + 1) % 16])),                                         \
               add(w[((i) + 9) % 16], small_sigma1(w[((i) + 14) % 16])))
#define ROUND_EXTEND(a, b, c, d, e, f, g, h, i)                                                    \
    do {                                                                                           \
        ROUND(a, b, c, d, e, f, g, h, w[i], k[i]);                                                 \
        EXTEND(i);                                                                                 \
    } while (0)

AVX512 static void compress(struct sha256_lanes *s, const uint8_t *const blocks[])
{
    __m512i *state = (__m512i *)(void *)s->words;
    const uint32_t *k = sha256_round_constants;
    __m512i a = state[0], b = state[1], c = state[2], d = state[3];
    __m512i e = state[4], f = state[5], g = state[6], h = state[7];
    __m512i w[16];

    load_words(blocks, w);
    for (size_t t = 0; t < 48; t += 16, k += 16) {
        ROUND_EXTEND(a, b, c, d, e, f, g, h, 0);
        ROUND_EXTEND(h, a, b, c, d, e, f, g, 1);
        ROUND_EXTEND(g, h, a, b, c, d, e, f, 2);
        ROUND_EXTEND(f, g, h, a, b, c, d, e, 3);
        ROUND_EXTEND(e, f, g, h, a, b, c, d, 4);
        ROUND_EXTEND(d, e, f, g, h, a, b, c, 5);
        ROUND_EXTEND(c, d, e, f, g, h, a, b, 6);
        ROUND_EXTEND(b, c, d, e, f, g, h, a, 7);
        ROUND_EXTEND(a, b, c, d, e, f, g, h, 8);
        ROUND_EXTEND(h, a, b, c, d, e, f, g, 9);
        ROUND_EXTEND(g, h, a, b, c, d, e, f, 10);
        ROUND_EXTEND(f, g, h, a, b, c, d, e, 11);
        ROUND_EXTEND(e, f, g, h, a, b, c, d, 12);
        ROUND_EXTEND(d, e, f, g, h, a, b, c, 13);
        ROUND_EXTEND(c, d, e, f, g, h, a, b, 14);
        ROUND_EXTEND(b, c, d, e, f, g, h, a, 15);
    }
    for (size_t t = 0; t < 16; t += 8) {
        ROUND(a, b, c, d, e, f, g, h, w[t], k[t]);
        ROUND(h, a, b, c, d, e, f, g, w[t + 1], k[t + 1]);
        ROUND(g, h, a, b, c, d, e, f, w[t + 2], k[t + 2]);
        ROUND(f, g, h, a, b, c, d, e, w[t + 3], k[t + 3]);
        ROUND(e, f, g, h, a, b, c, d, w[t + 4], k[t + 4]);
        ROUND(d, e, f, g, h, a, b, c, w[t + 5], k[t + 5]);
        ROUND(c, d, e, f, g, h, a, b, w[t + 6], k[t + 6]);
        ROUND(b, c, d, e, f, g, h, a, w[t + 7], k[t + 7]);
    }
    state[0] = add(state[0], a);
    state[1] = add(state[1], b);
    state[2] = add(state[2], c);
    state[3] = add(state[3], d);
    state[4] = add(state[4], e);
    state[5] = add(state[5], f);
    state[6] = add(state[6], g);
    state[7] = add(state[7], h);
}

static bool is_supported(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw");
}

const struct sha256_kernel sha256_kernel_avx512 = {
    .name = "avx512 x16",
    .lanes = 16,
    .lanes_worth = 9,
    .word_at = {0, 16, 32, 48, 64, 80, 96, 112},
    .lane_step = 1,
    .is_supported = is_supported,
    .compress = compress,
};
#endif
