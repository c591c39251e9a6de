/* segment_file.h - the sealed form of a segment's entries: bundles of 256, each readable alone.
 *
 *   offset  bytes
 *        0      8  "CHANSEG1"
 *        8      8  segment number           (integers are little-endian)
 *       16      8  bytes of all frames, uncompressed
 *       24      4  bytes of the dictionary
 *       28      4  zero
 *       32     32  root of the segment: the tree over its 65,536 leaves
 *       64      8  offset of the first bundle (= 96 + dictionary + tables, for the reader's
 * comfort) 72      8  bytes of the whole file 80     16  XXH3-128 of bytes [0, 80), dictionary and
 * tables 96      …  dictionary: a zstd dictionary, or nothing …   2056  table: 257 offsets of 8
 * bytes; bundle b is [table[b], table[b + 1]) …   2048  XXH3-64 of each bundle's bytes as they lie
 * here …      …  256 zstd frames with content size
 *
 * A bundle's content is what tlog-tiles serves: 256 times uint16 big-endian length and entry. */
#pragma once
#include "base/base.h"
#include "base/buf.h"
#include "crypto/sha256.h"

enum { BUNDLE_ENTRIES = 256, SEGMENT_BUNDLES = 256, SEGMENT_HEAD_BYTES = 96 };

struct segment_file; /* an opened sealed segment; borrows the mapped bytes */

/* Compress `frames` (the raw file of a full segment), cut at `bundle_at` (257 offsets). */
err segment_file_write(struct ctx *cx, uint64_t number, str frames,
                       const uint64_t bundle_at[SEGMENT_BUNDLES + 1], const struct hash *root,
                       int zstd_level, struct buf *out);
/* CORRUPT names what is wrong in the head.  Owned. */
err segment_file_open(struct ctx *cx, str bytes, uint64_t number, struct segment_file **out);
void segment_file_close(struct segment_file *f); /* NULL is a no-op */
struct hash segment_file_root(const struct segment_file *f);
uint64_t segment_file_raw_bytes(const struct segment_file *f);
/* The frames of one bundle, malloc'ed.  CORRUPT: its bytes are not those that were written, or are
 * not 256 frames. */
err segment_file_bundle(struct ctx *cx, const struct segment_file *f, unsigned bundle,
                        char **out_frames, size_t *out_n);
/* The compressed bytes of a bundle within the file, for naming a wrong byte. */
void segment_file_extent(const struct segment_file *f, unsigned bundle, uint64_t *out_at,
                         uint64_t *out_n);

/* Walk frames: the next entry of *rest; false at the end or on a torn frame (then rest->n > 0). */
bool frame_next(str *rest, str *out_entry);
