/* reference.h - roots and proofs by the plain recursion of RFC 6962 section 2.1, and a stored tree
 * to compare with.  Slow and short on purpose. */
#pragma once
#include "ledger/tree.h"

enum { REFERENCE_MAX = 300 };

/* The leaf hash of entry i: of its number as text. */
struct hash reference_leaf(uint64_t i);
/* MTH(D[from:to]); to <= REFERENCE_MAX. */
struct hash reference_root(size_t from, size_t to);
/* PATH(index, D[from:to]) and SUBPROOF(m, D[from:to], whole), appended to *out. */
void reference_path(size_t index, size_t from, size_t to, struct proof *out);
void reference_subproof(size_t m, size_t from, size_t to, bool whole, struct proof *out);

bool proof_eq(const struct proof *a, const struct proof *b);

/* Tile levels in memory, filled through a frontier. */
struct stored_tree {
    struct hash *levels[3];
    size_t counts[3];
    size_t capacity;
    struct tree_frontier frontier;
    size_t count_max; /* the most hashes asked for at once */
};

void stored_init(struct arena *mem, struct stored_tree *t, size_t capacity);
/* Entries [size, size + n), as frontier_append() takes them. */
void stored_append(struct arena *mem, struct stored_tree *t, size_t n);
/* Fails the test when asked for what is not complete and stored. */
struct tree_source stored_source(struct stored_tree *t);
