/* unpack.h - request bodies that come compressed (Content-Encoding gzip or zstd).
 *
 * An unpacker is a body_source over another body_source, in constant memory.  What it gives is
 * bounded, so that a small body cannot become an endless one.  One thread at a time. */
#pragma once
#include "http/message.h"

enum encoding { ENCODING_IDENTITY, ENCODING_GZIP, ENCODING_ZSTD, ENCODINGS };

struct unpacker;

/* From the Content-Encoding header; a null header is identity.  MEDIA_TYPE for any other. */
err encoding_find(struct ctx *cx, str header, enum encoding *out);
/* Owned.  `unpacked_max` 0 is no bound.  INTERNAL when memory runs out. */
err unpacker_open(struct ctx *cx, enum encoding encoding, struct body_source inner,
                  uint64_t unpacked_max, struct unpacker **out);
void unpacker_close(struct unpacker *u); /* NULL is a no-op */
static inline void unpacker_cleanup(struct unpacker **u)
{
    unpacker_close(*u);
}

/* Its read() gives INVALID for malformed or cut off data, TOO_LARGE past the bound. */
struct body_source unpacker_source(struct unpacker *u);

/* Bytes that are there already, as a source; `rest` is used up by reading. */
struct body_source memory_source(str *rest);
