/* format_id.c - ids for records that have none: the digest of their text, and how often it came.
 *
 * Ids decide what counts as already recorded, so two different lines must not be made to share one
 * on purpose: hence SHA-256, not a faster hash.
 *
 * Repetitions are counted in two generations of a hash table.  When the recent one is full it
 * becomes the older one, which is forgotten; so memory is bounded and a text is remembered for at
 * least FORMAT_REPEATS further ones.  Only 64 bits of each digest are kept: should two different
 * texts share them, one is given a higher number than it needs and is still the only one with its
 * id. */
#include "audit/format_reader.h"
#include "base/encode.h"
#include "crypto/sha256.h"
#include <stdlib.h>

enum { DIGEST_BYTES = 16, SLOTS_MIN = 256 };

struct repeats_slot {
    uint64_t key;
    uint32_t count;
};

static struct repeats_slot *new_slots(size_t n)
{
    struct repeats_slot *slots = calloc(n, sizeof *slots);

    ENSURE(slots);
    return slots;
}

/* The slot of `key`, or the free one where it belongs.  Keys are parts of digests: well spread. */
static struct repeats_slot *find_slot(struct repeats_slot *slots, size_t n, uint64_t key)
{
    size_t i = key & (n - 1);

    while (slots[i].key != 0 && slots[i].key != key)
        i = (i + 1) & (n - 1);
    return &slots[i];
}

static void begin_generation(struct repeats *t)
{
    free(t->older);
    t->older = t->recent;
    t->older_slots = t->recent_slots;
    t->recent = new_slots(SLOTS_MIN);
    t->recent_slots = SLOTS_MIN;
    t->recent_count = 0;
}

static void double_slots(struct repeats *t)
{
    size_t n = 2 * t->recent_slots;
    struct repeats_slot *slots = new_slots(n);

    for (size_t i = 0; i < t->recent_slots; i++)
        if (t->recent[i].key != 0)
            *find_slot(slots, n, t->recent[i].key) = t->recent[i];
    free(t->recent);
    t->recent = slots;
    t->recent_slots = n;
}

static uint32_t older_count(const struct repeats *t, uint64_t key)
{
    return t->older ? find_slot(t->older, t->older_slots, key)->count : 0;
}

uint32_t repeats_count(struct repeats *t, uint64_t key)
{
    key += key == 0;
    if (!t->recent || t->recent_count == FORMAT_REPEATS)
        begin_generation(t);
    else if (2 * t->recent_count >= t->recent_slots)
        double_slots(t);

    struct repeats_slot *slot = find_slot(t->recent, t->recent_slots, key);

    if (slot->key == 0) {
        *slot = (struct repeats_slot){key, older_count(t, key)};
        t->recent_count++;
    }
    return slot->count++;
}

void repeats_close(struct repeats *t)
{
    free(t->recent);
    free(t->older);
    *t = (struct repeats){0};
}

static void digest(const str *parts, size_t count, struct hash *out)
{
    struct sha256_stream s;

    sha256_init(&s);
    for (size_t i = 0; i < count; i++)
        sha256_add(&s, parts[i]);
    sha256_finish(&s, out);
}

str format_digest_hex(struct arena *mem, const str *parts, size_t count)
{
    struct hash h;
    char *text = arena_new(mem, char, 2 * DIGEST_BYTES + 1);

    digest(parts, count, &h);
    hex_encode(h.bytes, DIGEST_BYTES, text);
    return (str){text, 2 * DIGEST_BYTES};
}

str format_event_id(struct format_reader *r, str salt)
{
    const str parts[] = {salt, S("\n"), r->record.text};
    char text[2 * DIGEST_BYTES + 1];
    struct hash h;
    uint64_t key;

    if (r->id_set)
        return r->id;
    digest(parts, COUNT(parts), &h);
    memcpy(&key, h.bytes + DIGEST_BYTES, sizeof key);
    hex_encode(h.bytes, DIGEST_BYTES, text);
    uint32_t before = repeats_count(&r->repeats, key);

    r->id = before == 0 ? arena_str(r->tmp, (str){text, 2 * DIGEST_BYTES})
                        : arena_printf(r->tmp, "%s-%u", text, before + 1);
    r->id_set = true;
    return r->id;
}
