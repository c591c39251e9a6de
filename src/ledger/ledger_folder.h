/* ledger_folder.h - which files lie in a ledger's folder, read once before anything is opened.
 *
 * Whether a file is there decides what the log is, so it is asked of a listing, whose failure is an
 * error, and not by trying to open it, which can fail for other reasons. */
#pragma once
#include "base/fs.h"

struct folder {
    str *names; /* sorted; arena `mem` of the context that read it */
    size_t count;
};

/* A folder that does not exist is empty. */
err folder_read(struct ctx *cx, struct fs fs, const char *dir, struct folder *out);
bool folder_has(const struct folder *f, str name);

/* "segment-00000012.seg" is {12, "seg"}; the number has at least eight digits, and no more zeros
 * in front than that takes. */
struct segment_name {
    uint64_t number;
    str kind; /* raw, seg, idx, seg.new, idx.new; borrowed from the name */
};
bool segment_name_parse(str name, struct segment_name *out);
bool folder_has_segment(const struct folder *f, uint64_t number, str kind);
/* One more than the highest number of that kind; 0 when there is none. */
uint64_t folder_segments_end(const struct folder *f, str kind);

/* The file "pruned" tells the first segment whose entries are kept, with a checksum, because all
 * that lies below may be removed: "<number> <XXH3-64 of the number's digits, hexadecimal>\n".
 * Absent: nothing was ever pruned. */
str pruned_mark(struct arena *mem, uint64_t first_kept);
bool pruned_mark_parse(str text, uint64_t *out);
