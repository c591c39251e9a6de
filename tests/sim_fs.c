/* sim_fs.c - see sim_fs.h.
 *
 * Names are whole paths.  An inode is a file or a folder; it lives as long as the simulation. */
#include "sim_fs.h"
#include "base/queue.h"
#include <stdlib.h>

enum { SECTOR_BYTES = 512, NAMES_MAX = 512, HANDLES_MAX = 512, FREE_BYTES = 1 << 30 };

const char *const sim_fault_names[SIM_FAULTS] = {
    [SIM_NONE] = "none",           [SIM_CRASH] = "crash",       [SIM_TORN] = "torn",
    [SIM_REORDERED] = "reordered", [SIM_KILL] = "kill",         [SIM_ENOSPC] = "no space",
    [SIM_EIO] = "i/o error",       [SIM_SHORT] = "short write", [SIM_SYNC] = "failed sync",
};

enum call {
    CALL_OPEN,
    CALL_CREATE,
    CALL_READ,
    CALL_WRITE,
    CALL_SYNC,
    CALL_TRUNCATE,
    CALL_NAME, /* rename, mkdir */
    CALL_UNLINK,
    CALL_SYNC_DIR,
};

#define BIT(call) (1u << (call))
#define ANY_CALL (~0u)
/* Calls that a fault can hit.  A crash during a read changes nothing that a crash before the next
 * write does not. */
static const unsigned fault_hits[SIM_FAULTS] = {
    [SIM_CRASH] = ANY_CALL & ~BIT(CALL_READ) & ~BIT(CALL_OPEN),
    [SIM_TORN] = ANY_CALL & ~BIT(CALL_READ) & ~BIT(CALL_OPEN),
    [SIM_REORDERED] = ANY_CALL & ~BIT(CALL_READ) & ~BIT(CALL_OPEN),
    [SIM_KILL] = ANY_CALL & ~BIT(CALL_READ) & ~BIT(CALL_OPEN),
    [SIM_ENOSPC] = BIT(CALL_CREATE) | BIT(CALL_WRITE) | BIT(CALL_NAME),
    [SIM_EIO] = ANY_CALL,
    [SIM_SHORT] = BIT(CALL_WRITE),
    [SIM_SYNC] = BIT(CALL_SYNC) | BIT(CALL_SYNC_DIR),
};

struct image {
    char *p;
    size_t n, capacity;
};

struct change { /* of a file's bytes, not synced */
    bool truncate;
    uint64_t at; /* or the new size */
    char *p;
    size_t n;
};

struct inode {
    bool folder;
    struct image seen, kept; /* by the process; by the disk */
    struct change *changes;
    size_t change_count;
    int lock_holder; /* handle, or -1 */
    struct inode *next;
};

struct name {
    char *path;
    struct inode *inode;
};

struct names {
    struct name at[NAMES_MAX];
    size_t n;
};

enum name_change_kind { NAME_ADD, NAME_REMOVE, NAME_MOVE };

struct name_change { /* of a folder, not synced */
    enum name_change_kind kind;
    char *path, *to;
    struct inode *inode;
};

struct handle {
    struct inode *inode; /* NULL: free */
    bool writes;
};

struct sim_fs {
    pthread_mutex_t lock; /* guards everything below */
    uint64_t random;
    struct inode *inodes;
    struct names seen, kept;
    struct name_change *name_changes;
    size_t name_change_count;
    struct handle handles[HANDLES_MAX];

    uint64_t calls;
    enum sim_fault fault;
    uint64_t nth, times; /* calls of the armed kind until the first hit; hits left */
    bool failed, paused, dead, dying;
};

/* ---- chance ---- */

static uint64_t random_next(struct sim_fs *s)
{
    uint64_t z = s->random += UINT64_C(0x9E3779B97F4A7C15);

    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

static uint64_t random_below(struct sim_fs *s, uint64_t n)
{
    return n ? random_next(s) % n : 0;
}

static bool coin(struct sim_fs *s)
{
    return random_next(s) & 1;
}

/* ---- images ---- */

static void image_resize(struct image *i, size_t n)
{
    if (n > i->capacity) {
        i->capacity = size_max(n, i->capacity * 2);
        i->p = realloc(i->p, i->capacity);
        ENSURE(i->p);
    }
    if (n > i->n)
        memset(i->p + i->n, 0, n - i->n);
    i->n = n;
}

static void image_write(struct image *i, uint64_t at, const char *p, size_t n)
{
    if (n == 0)
        return;
    if (at + n > i->n)
        image_resize(i, (size_t)at + n);
    memcpy(i->p + at, p, n);
}

static void image_copy(struct image *to, const struct image *from)
{
    image_resize(to, 0);
    image_write(to, 0, from->p, from->n);
}

static void change_apply(struct image *i, const struct change *c)
{
    if (c->truncate)
        image_resize(i, (size_t)c->at);
    else
        image_write(i, c->at, c->p, c->n);
}

static void changes_drop(struct inode *f)
{
    for (size_t i = 0; i < f->change_count; i++)
        free(f->changes[i].p);
    f->change_count = 0;
}

static void change_note(struct inode *f, struct change c)
{
    struct change *more = realloc(f->changes, (f->change_count + 1) * sizeof *more);

    ENSURE(more);
    f->changes = more;
    f->changes[f->change_count++] = c;
    change_apply(&f->seen, &c);
}

static void write_note(struct inode *f, uint64_t at, const char *p, size_t n)
{
    struct change c = {.at = at, .p = malloc(n ? n : 1), .n = n};

    ENSURE(c.p);
    memcpy(c.p, p, n);
    change_note(f, c);
}

/* ---- what a power loss leaves of a file ---- */

static void apply_sectors(struct sim_fs *s, struct image *i, const struct change *c)
{
    for (uint64_t from = c->at, end = c->at + c->n; from < end;) {
        uint64_t to = u64_min(end, (from / SECTOR_BYTES + 1) * SECTOR_BYTES);
        if (coin(s))
            image_write(i, from, c->p + (from - c->at), (size_t)(to - from));
        from = to;
    }
}

static void apply_torn(struct sim_fs *s, struct image *i, const struct change *c)
{
    switch (random_below(s, 4)) {
    case 0:
        change_apply(i, c);
        break;
    case 1:
        image_write(i, c->at, c->p, (size_t)random_below(s, c->n + 1));
        break;
    case 2:
        apply_sectors(s, i, c);
        break;
    default: /* the length alone */
        if (c->at + c->n > i->n)
            image_resize(i, (size_t)(c->at + c->n));
    }
}

static void shuffle(struct sim_fs *s, size_t *order, size_t n)
{
    for (size_t i = n; i > 1; i--) {
        size_t j = (size_t)random_below(s, i), held = order[i - 1];
        order[i - 1] = order[j];
        order[j] = held;
    }
}

/* Settle the pending changes of a file upon its durable image. */
static void settle_file(struct sim_fs *s, struct inode *f, enum sim_fault how)
{
    size_t *order = calloc(f->change_count + 1, sizeof *order);

    ENSURE(order);
    for (size_t i = 0; i < f->change_count; i++)
        order[i] = i;
    if (how == SIM_REORDERED)
        shuffle(s, order, f->change_count);
    for (size_t i = 0; i < f->change_count; i++) {
        const struct change *c = &f->changes[order[i]];
        if (coin(s))
            continue;
        if (how == SIM_CRASH || c->truncate)
            change_apply(&f->kept, c);
        else
            apply_torn(s, &f->kept, c);
    }
    free(order);
    changes_drop(f);
}

/* ---- names ---- */

static struct name *name_find(struct names *all, const char *path)
{
    for (size_t i = 0; i < all->n; i++)
        if (strcmp(all->at[i].path, path) == 0)
            return &all->at[i];
    return NULL;
}

static void name_remove(struct names *all, const char *path)
{
    struct name *gone = name_find(all, path);

    if (!gone)
        return;
    free(gone->path);
    *gone = all->at[--all->n];
}

static void name_set(struct names *all, const char *path, struct inode *inode)
{
    struct name *there = name_find(all, path);

    if (there) {
        there->inode = inode;
        return;
    }
    ENSURE(all->n < NAMES_MAX);
    all->at[all->n++] = (struct name){strdup(path), inode};
}

static void names_drop(struct names *all)
{
    while (all->n)
        free(all->at[--all->n].path);
}

static void name_change_apply(struct names *all, const struct name_change *c)
{
    struct name *from = name_find(all, c->path);

    if (c->kind == NAME_ADD) {
        name_set(all, c->path, c->inode);
        return;
    }
    if (from && from->inode == c->inode)
        name_remove(all, c->path);
    if (c->kind == NAME_MOVE)
        name_set(all, c->to, c->inode);
}

static void name_change_drop(struct name_change *c)
{
    free(c->path);
    free(c->to);
}

static void name_change_note(struct sim_fs *s, struct name_change c)
{
    struct name_change *more = realloc(s->name_changes, (s->name_change_count + 1) * sizeof *more);

    ENSURE(more);
    c.path = strdup(c.path);
    c.to = c.to ? strdup(c.to) : NULL;
    s->name_changes = more;
    s->name_changes[s->name_change_count++] = c;
    name_change_apply(&s->seen, &c);
}

/* The folder that a path lies in. */
static str parent_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? (str){path, (size_t)(slash - path)} : S("");
}

static bool lies_in(const char *path, str folder)
{
    return str_eq(parent_of(path), folder);
}

/* The root, and what a bare name lies in, always exist. */
static bool folder_exists(struct names *all, str folder)
{
    char path[256];

    if (folder.n == 0 || str_eq(folder, S(".")))
        return true;
    ENSURE(folder.n < sizeof path);
    memcpy(path, folder.p, folder.n);
    path[folder.n] = 0;
    struct name *n = name_find(all, path);
    return n && n->inode->folder;
}

static void settle_names(struct sim_fs *s)
{
    bool journal = coin(s);
    size_t end = journal ? (size_t)random_below(s, s->name_change_count + 1) : s->name_change_count;

    for (size_t i = 0; i < end; i++)
        if (journal || coin(s))
            name_change_apply(&s->kept, &s->name_changes[i]);
}

/* ---- the armed fault ---- */

static bool is_death(enum sim_fault fault)
{
    return fault >= SIM_CRASH && fault <= SIM_KILL;
}

static bool strikes(struct sim_fs *s, enum call call)
{
    if (s->paused || s->fault == SIM_NONE || !(fault_hits[s->fault] & BIT(call)) || s->times == 0)
        return false;
    if (s->nth > 1) {
        s->nth--;
        return false;
    }
    s->times--;
    s->failed = true;
    return true;
}

static err is_down(struct ctx *cx)
{
    return fail(cx, ERR_IO, "the machine is down");
}

/* At the beginning of every call.  A death comes before the call takes effect or behind it. */
static err enter(struct ctx *cx, struct sim_fs *s, enum call call)
{
    s->calls++;
    if (s->dead)
        return is_down(cx);
    if (!strikes(s, call))
        return ERR_OK;
    if (is_death(s->fault)) {
        s->dying = coin(s);
        s->dead = !s->dying;
        return s->dead ? is_down(cx) : ERR_OK;
    }
    if (s->fault == SIM_ENOSPC)
        return fail(cx, ERR_NO_SPACE, "no space left (simulated)");
    return fail(cx, ERR_IO, "input/output error (simulated: %s)", sim_fault_names[s->fault]);
}

/* At the end of a call that changed something. */
static err leave(struct ctx *cx, struct sim_fs *s)
{
    if (!s->dying)
        return ERR_OK;
    s->dying = false;
    s->dead = true;
    return is_down(cx);
}

/* ---- the table ---- */

static struct inode *inode_new(struct sim_fs *s, bool folder)
{
    struct inode *f = calloc(1, sizeof *f);

    ENSURE(f);
    f->folder = folder;
    f->lock_holder = -1;
    f->next = s->inodes;
    s->inodes = f;
    return f;
}

static err find_or_create(struct ctx *cx, struct sim_fs *s, const char *path, unsigned flags,
                          struct inode **out)
{
    struct name *n = name_find(&s->seen, path);

    if (n && (flags & FS_EXCLUSIVE))
        return fail(cx, ERR_CONFLICT, "%s exists", path);
    if (n && n->inode->folder)
        return fail(cx, ERR_IO, "%s is a folder", path);
    if (!n && (!(flags & FS_CREATE) || !folder_exists(&s->seen, parent_of(path))))
        return fail(cx, ERR_NOT_FOUND, "%s", path);
    if (n) {
        *out = n->inode;
        return ERR_OK;
    }
    *out = inode_new(s, false);
    name_change_note(s, (struct name_change){NAME_ADD, (char *)(uintptr_t)path, NULL, *out});
    return ERR_OK;
}

static err sim_op_open(struct ctx *cx, void *state, const char *path, unsigned flags, fs_file *out)
{
    struct sim_fs *s = state;
    LOCK(held, &s->lock);
    struct inode *f;
    int h = 0;

    bool fresh = (flags & FS_CREATE) && !name_find(&s->seen, path);
    TRY(enter(cx, s, fresh || (flags & FS_TRUNCATE) ? CALL_CREATE : CALL_OPEN));
    TRY(find_or_create(cx, s, path, flags, &f));
    if ((flags & FS_TRUNCATE) && f->seen.n)
        change_note(f, (struct change){.truncate = true});
    while (h < HANDLES_MAX && s->handles[h].inode)
        h++;
    ENSURE(h < HANDLES_MAX);
    TRY(leave(cx, s));
    s->handles[h] = (struct handle){f, flags & FS_WRITE};
    *out = h;
    return ERR_OK;
}

static void sim_op_close(void *state, fs_file h)
{
    struct sim_fs *s = state;
    LOCK(held, &s->lock);

    ENSURE(h < HANDLES_MAX && s->handles[h].inode);
    if (s->handles[h].inode->lock_holder == h)
        s->handles[h].inode->lock_holder = -1;
    s->handles[h].inode = NULL;
}

static struct inode *inode_of(struct sim_fs *s, fs_file h)
{
    ENSURE(h >= 0 && h < HANDLES_MAX && s->handles[h].inode);
    return s->handles[h].inode;
}

static struct inode *inode_to_write(struct sim_fs *s, fs_file h)
{
    struct inode *f = inode_of(s, h);

    ENSURE(s->handles[h].writes);
    return f;
}

static err sim_op_pread(struct ctx *cx, void *state, fs_file h, void *p, size_t n, uint64_t at,
                        size_t *out_n)
{
    struct sim_fs *s = state;
    LOCK(held, &s->lock);
    const struct image *seen = &inode_of(s, h)->seen;

    TRY(enter(cx, s, CALL_READ));
    size_t have = at < seen->n ? size_min(n, seen->n - (size_t)at) : 0;
    if (have)
        memcpy(p, seen->p + at, have);
    *out_n = have;
    return ERR_OK;
}

/* The vector's bytes in one piece, malloc'ed. */
static char *gather(const struct iovec *iov, size_t count, size_t *out_n)
{
    size_t n = 0, at = 0;

    for (size_t i = 0; i < count; i++)
        n += iov[i].iov_len;
    char *p = malloc(n ? n : 1);
    ENSURE(p);
    for (size_t i = 0; i < count; at += iov[i++].iov_len)
        memcpy(p + at, iov[i].iov_base, iov[i].iov_len);
    *out_n = n;
    return p;
}

static err sim_op_pwritev(struct ctx *cx, void *state, fs_file h, const struct iovec *iov,
                          size_t count, uint64_t at)
{
    struct sim_fs *s = state;
    LOCK(held, &s->lock);
    struct inode *f = inode_to_write(s, h);
    size_t n;

    err e = enter(cx, s, CALL_WRITE);
    if (s->dead)
        return e;
    char *p = gather(iov, count, &n);
    if (e != ERR_OK)
        n = s->fault == SIM_EIO ? 0 : (size_t)random_below(s, n);
    if (n)
        write_note(f, at, p, n);
    free(p);
    TRY(e);
    return leave(cx, s);
}

static err sim_op_sync(struct ctx *cx, void *state, fs_file h)
{
    struct sim_fs *s = state;
    LOCK(held, &s->lock);
    struct inode *f = inode_of(s, h);

    err e = enter(cx, s, CALL_SYNC);
    if (s->dead)
        return e;
    if (e != ERR_OK) {
        if (s->fault == SIM_SYNC)
            settle_file(s, f, SIM_TORN);
        return e;
    }
    for (size_t i = 0; i < f->change_count; i++)
        change_apply(&f->kept, &f->changes[i]);
    changes_drop(f);
    return leave(cx, s);
}

static err sim_op_size(struct ctx *cx, void *state, fs_file h, uint64_t *out)
{
    struct sim_fs *s = state;
    LOCK(held, &s->lock);

    TRY(enter(cx, s, CALL_READ));
    *out = inode_of(s, h)->seen.n;
    return ERR_OK;
}

static err sim_op_truncate(struct ctx *cx, void *state, fs_file h, uint64_t size)
{
    struct sim_fs *s = state;
    LOCK(held, &s->lock);

    TRY(enter(cx, s, CALL_TRUNCATE));
    change_note(inode_to_write(s, h), (struct change){.truncate = true, .at = size});
    return leave(cx, s);
}

static err sim_op_lock(struct ctx *cx, void *state, fs_file h)
{
    struct sim_fs *s = state;
    LOCK(held, &s->lock);
    struct inode *f = inode_of(s, h);

    TRY(enter(cx, s, CALL_READ));
    if (f->lock_holder >= 0 && f->lock_holder != h)
        return fail(cx, ERR_LOCKED, "another process holds the lock");
    f->lock_holder = h;
    return ERR_OK;
}

static err sim_op_rename(struct ctx *cx, void *state, const char *from, const char *to)
{
    struct sim_fs *s = state;
    LOCK(held, &s->lock);

    TRY(enter(cx, s, CALL_NAME));
    struct name *n = name_find(&s->seen, from);
    if (!n || !folder_exists(&s->seen, parent_of(to)))
        return fail(cx, ERR_IO, "cannot rename %s to %s", from, to);
    name_change_note(s, (struct name_change){NAME_MOVE, (char *)(uintptr_t)from,
                                             (char *)(uintptr_t)to, n->inode});
    return leave(cx, s);
}

static err sim_op_unlink(struct ctx *cx, void *state, const char *path)
{
    struct sim_fs *s = state;
    LOCK(held, &s->lock);

    TRY(enter(cx, s, CALL_UNLINK));
    struct name *n = name_find(&s->seen, path);
    if (!n)
        return fail(cx, ERR_NOT_FOUND, "%s", path);
    name_change_note(s, (struct name_change){NAME_REMOVE, (char *)(uintptr_t)path, NULL, n->inode});
    return leave(cx, s);
}

static err sim_op_mkdir(struct ctx *cx, void *state, const char *path)
{
    struct sim_fs *s = state;
    LOCK(held, &s->lock);

    TRY(enter(cx, s, CALL_NAME));
    if (name_find(&s->seen, path))
        return ERR_OK;
    if (!folder_exists(&s->seen, parent_of(path)))
        return fail(cx, ERR_IO, "cannot make the folder %s", path);
    name_change_note(
        s, (struct name_change){NAME_ADD, (char *)(uintptr_t)path, NULL, inode_new(s, true)});
    return leave(cx, s);
}

static err sim_op_sync_dir(struct ctx *cx, void *state, const char *path)
{
    struct sim_fs *s = state;
    LOCK(held, &s->lock);
    str folder = strcmp(path, "/") == 0 || strcmp(path, ".") == 0 ? S("") : str_from(path);
    size_t left = 0;

    TRY(enter(cx, s, CALL_SYNC_DIR));
    for (size_t i = 0; i < s->name_change_count; i++) {
        struct name_change *c = &s->name_changes[i];
        if (!lies_in(c->path, folder)) {
            s->name_changes[left++] = *c;
            continue;
        }
        name_change_apply(&s->kept, c);
        name_change_drop(c);
    }
    s->name_change_count = left;
    return leave(cx, s);
}

static int by_name(const void *a, const void *b)
{
    return str_cmp(*(const str *)a, *(const str *)b);
}

static err sim_op_list(struct ctx *cx, void *state, const char *path, str **out, size_t *out_n)
{
    struct sim_fs *s = state;
    LOCK(held, &s->lock);
    size_t n = 0;

    TRY(enter(cx, s, CALL_READ));
    if (!folder_exists(&s->seen, str_from(path)))
        return fail(cx, ERR_NOT_FOUND, "cannot list %s", path);
    str *names = arena_new(cx->mem, str, s->seen.n + 1);
    for (size_t i = 0; i < s->seen.n; i++) {
        const char *there = s->seen.at[i].path;
        if (lies_in(there, str_from(path)))
            names[n++] = arena_str(cx->mem, str_from(there + strlen(path) + 1));
    }
    qsort(names, n, sizeof *names, by_name);
    *out = names;
    *out_n = n;
    return ERR_OK;
}

static err sim_op_map(struct ctx *cx, void *state, fs_file h, str *out)
{
    struct sim_fs *s = state;
    LOCK(held, &s->lock);
    const struct image *seen = &inode_of(s, h)->seen;

    TRY(enter(cx, s, CALL_READ));
    *out = S("");
    if (seen->n) {
        char *p = malloc(seen->n);
        ENSURE(p);
        memcpy(p, seen->p, seen->n);
        *out = (str){p, seen->n};
    }
    return ERR_OK;
}

static void sim_op_unmap(void *state, str mapped)
{
    (void)state;
    if (mapped.n)
        free((void *)(uintptr_t)mapped.p);
}

static err sim_op_free_space(struct ctx *cx, void *state, const char *path, uint64_t *out_bytes)
{
    struct sim_fs *s = state;
    LOCK(held, &s->lock);

    (void)path;
    TRY(enter(cx, s, CALL_READ));
    *out_bytes = FREE_BYTES;
    return ERR_OK;
}

struct fs sim_fs(struct sim_fs *s)
{
    static const struct fs_ops ops = {
        .open = sim_op_open,
        .close = sim_op_close,
        .pread = sim_op_pread,
        .pwritev = sim_op_pwritev,
        .sync = sim_op_sync,
        .size = sim_op_size,
        .truncate = sim_op_truncate,
        .lock = sim_op_lock,
        .rename = sim_op_rename,
        .unlink = sim_op_unlink,
        .mkdir = sim_op_mkdir,
        .sync_dir = sim_op_sync_dir,
        .list = sim_op_list,
        .map = sim_op_map,
        .unmap = sim_op_unmap,
        .free_space = sim_op_free_space,
    };
    return (struct fs){&ops, s};
}

/* ---- the simulation ---- */

struct sim_fs *sim_open(uint64_t seed)
{
    struct sim_fs *s = calloc(1, sizeof *s);

    ENSURE(s);
    pthread_mutex_init(&s->lock, NULL);
    s->random = seed;
    return s;
}

void sim_close(struct sim_fs *s)
{
    if (!s)
        return;
    for (struct inode *f = s->inodes, *next; f; f = next) {
        next = f->next;
        changes_drop(f);
        free(f->changes);
        free(f->seen.p);
        free(f->kept.p);
        free(f);
    }
    names_drop(&s->seen);
    names_drop(&s->kept);
    for (size_t i = 0; i < s->name_change_count; i++)
        name_change_drop(&s->name_changes[i]);
    free(s->name_changes);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

void sim_fail_at(struct sim_fs *s, enum sim_fault fault, uint64_t nth, uint64_t times)
{
    LOCK(held, &s->lock);

    s->fault = fault;
    s->nth = nth;
    s->times = times;
    s->failed = false;
}

void sim_pause(struct sim_fs *s, bool paused)
{
    LOCK(held, &s->lock);

    s->paused = paused;
}

bool sim_has_failed(struct sim_fs *s)
{
    LOCK(held, &s->lock);

    return s->failed;
}

bool sim_is_dead(struct sim_fs *s)
{
    LOCK(held, &s->lock);

    return s->dead;
}

uint64_t sim_calls(struct sim_fs *s)
{
    LOCK(held, &s->lock);

    return s->calls;
}

/* A copy of the file as it is now, pending changes and all. */
static struct inode *inode_copy(struct sim_fs *to, const struct inode *from)
{
    struct inode *f = inode_new(to, from->folder);

    image_copy(&f->kept, &from->kept);
    image_copy(&f->seen, &f->kept);
    for (size_t i = 0; i < from->change_count; i++) {
        const struct change *c = &from->changes[i];
        if (c->truncate)
            change_note(f, *c);
        else
            write_note(f, c->at, c->p, c->n);
    }
    image_copy(&f->seen, &from->seen); /* after a failed sync more is seen than is known */
    return f;
}

/* Inode by inode, so that names of one inode keep it in common. */
static void copy_all(struct sim_fs *to, const struct sim_fs *from)
{
    for (const struct inode *f = from->inodes; f; f = f->next) {
        struct inode *copy = inode_copy(to, f);
        for (size_t i = 0; i < from->seen.n; i++)
            if (from->seen.at[i].inode == f)
                name_set(&to->seen, from->seen.at[i].path, copy);
        for (size_t i = 0; i < from->kept.n; i++)
            if (from->kept.at[i].inode == f)
                name_set(&to->kept, from->kept.at[i].path, copy);
        for (size_t i = 0; i < from->name_change_count; i++)
            if (from->name_changes[i].inode == f)
                to->name_changes[i].inode = copy;
    }
}

static void copy_name_changes(struct sim_fs *to, const struct sim_fs *from)
{
    size_t n = from->name_change_count;

    to->name_changes = calloc(n + 1, sizeof *to->name_changes);
    ENSURE(to->name_changes);
    for (size_t i = 0; i < n; i++) {
        to->name_changes[i] = from->name_changes[i];
        to->name_changes[i].path = strdup(from->name_changes[i].path);
        if (from->name_changes[i].to)
            to->name_changes[i].to = strdup(from->name_changes[i].to);
    }
    to->name_change_count = n;
}

/* What is not below a folder that has survived is gone with it. */
static bool drop_orphan(struct names *all)
{
    for (size_t i = 0; i < all->n; i++) {
        if (folder_exists(all, parent_of(all->at[i].path)))
            continue;
        name_remove(all, all->at[i].path);
        return true;
    }
    return false;
}

static void lose_power(struct sim_fs *s, enum sim_fault how)
{
    settle_names(s);
    for (struct inode *f = s->inodes; f; f = f->next) {
        settle_file(s, f, how);
        image_copy(&f->seen, &f->kept);
    }
    while (drop_orphan(&s->kept))
        continue;
    for (size_t i = 0; i < s->name_change_count; i++)
        name_change_drop(&s->name_changes[i]);
    s->name_change_count = 0;
    names_drop(&s->seen);
    for (size_t i = 0; i < s->kept.n; i++)
        name_set(&s->seen, s->kept.at[i].path, s->kept.at[i].inode);
}

struct sim_fs *sim_restart(struct sim_fs *s, enum sim_fault how, uint64_t seed)
{
    LOCK(held, &s->lock);
    struct sim_fs *fresh = sim_open(seed);

    ENSURE(is_death(how));
    copy_name_changes(fresh, s);
    copy_all(fresh, s);
    if (how != SIM_KILL)
        lose_power(fresh, how);
    return fresh;
}

void sim_flip(struct sim_fs *s, const char *path, uint64_t at, uint8_t mask)
{
    LOCK(held, &s->lock);
    struct name *n = name_find(&s->seen, path);

    ENSURE(n && at < n->inode->seen.n);
    n->inode->seen.p[at] = (char)(n->inode->seen.p[at] ^ mask);
    if (at < n->inode->kept.n)
        n->inode->kept.p[at] = (char)(n->inode->kept.p[at] ^ mask);
}

err sim_copy_dir(struct ctx *cx, struct fs from, const char *from_dir, struct fs to,
                 const char *to_dir)
{
    str *names, bytes;
    size_t n;

    TRY(fs_mkdir(cx, to, to_dir));
    TRY(from.ops->list(cx, from.state, from_dir, &names, &n));
    for (size_t i = 0; i < n; i++) {
        const char *source = arena_printf(cx->mem, "%s/%.*s", from_dir, STR_FMT(names[i])).p;
        TRY(fs_read_all(cx, from, source, SIZE_MAX, &bytes));
        const char *name = arena_z(cx->mem, names[i]);
        TRY(fs_replace(cx, to, to_dir, name, bytes));
    }
    return ERR_OK;
}
