/* sender.h - a client that sends events to a server that may die at any moment, and remembers what
 * was acknowledged.
 *
 * Each sender has its own thread, its own ids ("<sender>-<number>", counted up) and its own memory;
 * a sender's memory may be looked at while its thread does not run.  A request whose answer did not
 * come is forgotten, but for some of its events, which are sent again under the same ids. */
#pragma once
#include "../test.h"
#include "crypto/sha256.h"
#include <pthread.h>
#include <stdatomic.h>

enum { SENDER_BATCH_MAX = 200, SENDER_NOTE_BYTES = 512 };

struct acked {
    uint64_t number, count; /* events number .. number + count - 1 */
    uint64_t index;         /* of the first; the others follow */
};

struct sender {
    unsigned id;
    pthread_t thread;
    atomic_bool stop;
    uint64_t random;
    const char *key;
    char address[64]; /* of the server's present life */

    uint64_t next;                       /* number of the next event */
    uint64_t doubtful_from, doubtful_to; /* sent, but the answer did not come */
    struct acked *acked;
    size_t acked_count, acked_capacity;
    uint64_t events, lost_answers, refused, strange;
    uint64_t checkpoint_size; /* of the newest checkpoint seen */
    struct hash checkpoint_root;
};

/* "<sender>-<number>" */
str sender_event_id(struct arena *mem, const struct sender *s, uint64_t number);

void sender_open(struct sender *s, unsigned id, const char *key, uint64_t seed);
void sender_close(struct sender *s);
/* Send until told to stop or the connection breaks. */
void sender_start(struct sender *s, const char *address);
void sender_join(struct sender *s);
