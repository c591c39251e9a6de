/* index_bits.h - bits, lowest first, and the two codes of which the index file is made.
 *
 *   gamma(v), v >= 1   as many zeros as v has bits behind its highest, a one, those bits
 *   rice(v, r)         v >> r zeros, a one, the r low bits of v: short when v is about 2^r
 *
 * A reader never reads outside its bytes: beyond the end there are zeros, and bits_ok() tells. */
#pragma once
#include "base/base.h"
#include "base/buf.h"
#include <endian.h>

enum { BITS_AT_ONCE = 32, RICE_MAX = 15 };

struct bit_writer {
    struct buf *out;
    uint64_t pending;
    unsigned filled; /* bits in `pending`: under BITS_AT_ONCE between calls */
};

/* At most BITS_AT_ONCE bits; those of v above n are zero. */
static inline void bits_put(struct bit_writer *w, uint64_t v, unsigned n)
{
    w->pending |= v << w->filled;
    w->filled += n;
    if (w->filled >= BITS_AT_ONCE) {
        uint32_t low = htole32((uint32_t)w->pending);
        buf_put(w->out, (str){(const char *)&low, sizeof low});
        w->pending >>= BITS_AT_ONCE;
        w->filled -= BITS_AT_ONCE;
    }
}

static inline void bits_put_zeros(struct bit_writer *w, uint64_t n)
{
    for (; n >= BITS_AT_ONCE; n -= BITS_AT_ONCE)
        bits_put(w, 0, BITS_AT_ONCE);
    bits_put(w, 0, (unsigned)n);
}

static inline void bits_put_rice(struct bit_writer *w, uint64_t v, unsigned r)
{
    bits_put_zeros(w, v >> r);
    bits_put(w, 1, 1);
    bits_put(w, v & ((1u << r) - 1), r);
}

static inline void bits_put_gamma(struct bit_writer *w, uint32_t v)
{
    unsigned n = 31 - (unsigned)__builtin_clz(v);

    bits_put(w, 1ull << n, n + 1);
    bits_put(w, v & ((1u << n) - 1), n);
}

/* Fill the last byte with zeros. */
static inline void bits_end(struct bit_writer *w)
{
    uint32_t low = htole32((uint32_t)w->pending);

    buf_put(w->out, (str){(const char *)&low, (w->filled + 7) / 8});
    w->pending = 0;
    w->filled = 0;
}

struct bit_reader {
    str bytes;
    uint64_t at; /* in bits */
};

static inline bool bits_ok(const struct bit_reader *r)
{
    return r->at <= (uint64_t)r->bytes.n * 8;
}

/* The next 57 bits at least. */
static inline uint64_t bits_peek(const struct bit_reader *r)
{
    uint64_t byte = r->at >> 3, w = 0;

    if (LIKELY(byte + sizeof w <= r->bytes.n))
        memcpy(&w, r->bytes.p + byte, sizeof w);
    else if (byte < r->bytes.n)
        memcpy(&w, r->bytes.p + byte, r->bytes.n - byte);
    return le64toh(w) >> (r->at & 7);
}

static inline uint32_t bits_get(struct bit_reader *r, unsigned n)
{
    uint64_t v = bits_peek(r) & ((1ull << n) - 1);

    r->at += n;
    return (uint32_t)v;
}

/* Zeros before the next one, which is passed too. */
static inline uint64_t bits_get_zeros(struct bit_reader *r)
{
    uint64_t zeros = 0;

    while (bits_ok(r)) {
        uint64_t w = bits_peek(r);
        if (LIKELY(w)) {
            unsigned n = (unsigned)__builtin_ctzll(w);
            r->at += n + 1;
            return zeros + n;
        }
        unsigned skipped = 64 - (unsigned)(r->at & 7);
        r->at += skipped;
        zeros += skipped;
    }
    return zeros;
}

static inline uint64_t bits_get_rice(struct bit_reader *r, unsigned k)
{
    uint64_t w = bits_peek(r);

    if (LIKELY(w & ((1ull << 40) - 1))) { /* the common case in one look */
        unsigned n = (unsigned)__builtin_ctzll(w);
        r->at += n + 1 + k;
        return (uint64_t)n << k | (w >> (n + 1) & ((1u << k) - 1));
    }
    uint64_t high = bits_get_zeros(r);
    return high << k | bits_get(r, k);
}

/* 0 when malformed. */
static inline uint32_t bits_get_gamma(struct bit_reader *r)
{
    uint64_t n = bits_get_zeros(r);

    if (n > 31)
        return 0;
    return 1u << n | bits_get(r, (unsigned)n);
}
