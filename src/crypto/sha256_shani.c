/* sha256_shani.c - two SHA-256 compressions interleaved with the SHA instructions of x86.
 *
 * One stream waits for the latency of sha256rnds2; a second one uses the gaps.  The instructions
 * want the state as two registers {A,B,E,F} and {C,D,G,H}, highest word first, and it is kept in
 * memory that way. */
#include "crypto/sha256_kernel.h"
#ifdef __x86_64__
#include <cpuid.h>
#include <immintrin.h>

#define SHANI __attribute__((target("sha,sse4.1,ssse3")))
#define INLINE static inline SHANI __attribute__((always_inline))

struct stream {
    __m128i abef, cdgh;
    __m128i w[4]; /* sixteen message words, a ring of four by four */
};

INLINE __m128i load_words(const uint8_t *p)
{
    const __m128i swap = _mm_set_epi8(12, 13, 14, 15, 8, 9, 10, 11, 4, 5, 6, 7, 0, 1, 2, 3);

    return _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(const void *)p), swap);
}

INLINE void stream_begin(struct stream *s, const __m128i *state, const uint8_t *block)
{
    s->abef = state[0];
    s->cdgh = state[1];
    s->w[0] = load_words(block);
    s->w[1] = load_words(block + 16);
    s->w[2] = load_words(block + 32);
    s->w[3] = load_words(block + 48);
}

INLINE void stream_end(const struct stream *s, __m128i *state)
{
    state[0] = _mm_add_epi32(state[0], s->abef);
    state[1] = _mm_add_epi32(state[1], s->cdgh);
}

/* Rounds 4i to 4i + 3. */
INLINE void four_rounds(struct stream *s, unsigned i, __m128i k)
{
    __m128i wk = _mm_add_epi32(s->w[i % 4], k);

    s->cdgh = _mm_sha256rnds2_epu32(s->cdgh, s->abef, wk);
    s->abef = _mm_sha256rnds2_epu32(s->abef, s->cdgh, _mm_shuffle_epi32(wk, 0x0e));
}

/* The four words that take the place of w[i % 4] sixteen rounds later. */
INLINE void extend(struct stream *s, unsigned i)
{
    __m128i w12_15 = s->w[(i + 3) % 4];
    __m128i w9_12 = _mm_alignr_epi8(w12_15, s->w[(i + 2) % 4], 4);
    __m128i sum = _mm_add_epi32(_mm_sha256msg1_epu32(s->w[i % 4], s->w[(i + 1) % 4]), w9_12);

    s->w[i % 4] = _mm_sha256msg2_epu32(sum, w12_15);
}

#define ROUNDS(i)                                                                                  \
    do {                                                                                           \
        __m128i k_ = _mm_loadu_si128(k + (i));                                                     \
        four_rounds(&x, i, k_);                                                                    \
        four_rounds(&y, i, k_);                                                                    \
    } while (0)
#define ROUNDS_EXTEND(i)                                                                           \
    do {                                                                                           \
        ROUNDS(i);                                                                                 \
        extend(&x, i);                                                                             \
        extend(&y, i);                                                                             \
    } while (0)

SHANI static void compress(struct sha256_lanes *s, const uint8_t *const blocks[])
{
    __m128i *state = (__m128i *)(void *)s->words;
    const __m128i *k = (const __m128i *)(const void *)sha256_round_constants;
    struct stream x, y;

    stream_begin(&x, state, blocks[0]);
    stream_begin(&y, state + 2, blocks[1]);
    ROUNDS_EXTEND(0);
    ROUNDS_EXTEND(1);
    ROUNDS_EXTEND(2);
    ROUNDS_EXTEND(3);
    ROUNDS_EXTEND(4);
    ROUNDS_EXTEND(5);
    ROUNDS_EXTEND(6);
    ROUNDS_EXTEND(7);
    ROUNDS_EXTEND(8);
    ROUNDS_EXTEND(9);
    ROUNDS_EXTEND(10);
    ROUNDS_EXTEND(11);
    ROUNDS(12);
    ROUNDS(13);
    ROUNDS(14);
    ROUNDS(15);
    stream_end(&x, state);
    stream_end(&y, state + 2);
}

static bool is_supported(void)
{
    unsigned a = 0, b = 0, c = 0, d = 0;

    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_SHA) &&
           __builtin_cpu_supports("sse4.1");
}

const struct sha256_kernel sha256_kernel_shani = {
    .name = "sha-ni x2",
    .lanes = 2,
    .lanes_worth = 1,
    .word_at = {3, 2, 7, 6, 1, 0, 5, 4},
    .lane_step = 8,
    .is_supported = is_supported,
    .compress = compress,
};
#endif
