/* sender.c - see sender.h.  Nothing here fails a test: a server that dies in the middle is what it
 * is for. */
#include "sender.h"
#include "base/encode.h"
#include "base/json.h"
#include "base/queue.h"
#include "crypto/note.h"
#include "ledger/checkpoint.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { REPLY_BYTES_MAX = 1 << 20, PATIENCE_S = 30, RESENT_MAX = 5, CHECKPOINT_EVERY = 8 };

static uint64_t roll(struct sender *s, uint64_t n)
{
    s->random = s->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (s->random >> 33) % n;
}

str sender_event_id(struct arena *mem, const struct sender *s, uint64_t number)
{
    return arena_printf(mem, "%u-%llu", s->id, (unsigned long long)number);
}

/* ---- one request ---- */

static int dial(const char *address)
{
    struct sockaddr_in to = {.sin_family = AF_INET};
    struct timeval patience = {.tv_sec = PATIENCE_S};
    const char *colon = strrchr(address, ':');
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    ENSURE(fd >= 0 && colon);
    to.sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0)
        return fd;
    close(fd);
    return -1;
}

static bool send_all(int fd, str bytes)
{
    while (bytes.n) {
        ssize_t n = send(fd, bytes.p, bytes.n, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        bytes = str_slice(bytes, (size_t)n, bytes.n);
    }
    return true;
}

/* The length that a whole head announces; false while the head is not whole. */
static bool body_bytes(str reply, size_t *out_head, size_t *out_body)
{
    size_t head = str_find(reply, S("\r\n\r\n"));
    str lines = str_slice(reply, 0, head);
    uint64_t n = 0;

    if (head == reply.n)
        return false;
    while (lines.n) {
        str line = str_cut(&lines, '\n'), name = str_cut(&line, ':');
        if (str_eq_nocase(name, S("Content-Length")))
            (void)str_to_u64(str_trim(line), &n);
    }
    *out_head = head + 4;
    *out_body = (size_t)n;
    return true;
}

/* 0 when the connection broke before the reply was whole. */
static int read_reply(int fd, struct buf *in, str *out_body)
{
    size_t head, body;

    while (!body_bytes(buf_str(in), &head, &body) || in->n < head + body) {
        if (!buf_reserve(in, 4096))
            return 0;
        ssize_t n = recv(fd, in->p + in->n, 4096, 0);
        if (n <= 0)
            return 0;
        in->n += (size_t)n;
    }
    *out_body = str_slice(buf_str(in), head, head + body);
    return in->n > 12 ? atoi(in->p + 9) : 0;
}

static int ask(const struct sender *s, int fd, const char *request_line, str body, struct buf *in,
               str *out_body)
{
    CLEANUP(buf_close) struct buf out = BUF(REPLY_BYTES_MAX);

    buf_printf(&out,
               "%s HTTP/1.1\r\nHost: t\r\nAuthorization: Bearer %s\r\n"
               "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
               request_line, s->key, body.n);
    buf_put(&out, body);
    buf_clear(in);
    return send_all(fd, buf_str(&out)) ? read_reply(fd, in, out_body) : 0;
}

/* ---- events ---- */

static void put_events(const struct sender *s, uint64_t from, uint64_t n, struct buf *b)
{
    buf_put_char(b, '[');
    for (uint64_t i = from; i < from + n; i++)
        buf_printf(b,
                   "%s{\"specversion\":\"1.0\",\"id\":\"%u-%llu\",\"source\":\"/crash\",\"type\":"
                   "\"crash.%llu\",\"subject\":\"thing/%llu\"}",
                   i == from ? "" : ",", s->id, (unsigned long long)i, (unsigned long long)i % 7,
                   (unsigned long long)i % 1000);
    buf_put_char(b, ']');
}

static void remember(struct sender *s, uint64_t number, uint64_t count, uint64_t index)
{
    if (s->acked_count == s->acked_capacity) {
        s->acked_capacity = size_max(1024, s->acked_capacity * 2);
        s->acked = realloc(s->acked, s->acked_capacity * sizeof *s->acked);
        ENSURE(s->acked);
    }
    s->acked[s->acked_count++] = (struct acked){number, count, index};
    s->events += count;
}

static uint64_t member(struct json root, str pointer)
{
    struct json v;
    uint64_t n;

    return json_pointer_get(root, pointer, &v) && json_to_u64(v, &n) ? n : UINT64_MAX;
}

/* True when it was acknowledged.  What is sent again may have been stored the first time. */
static bool read_ack(struct sender *s, str body, uint64_t number, uint64_t n)
{
    CLEANUP(ctx_cleanup) struct ctx *cx = ctx_open(0);
    CLEANUP(json_parser_cleanup) struct json_parser *p = json_parser_open();
    struct json root;

    if (json_parse(cx, p, body, &root) != ERR_OK)
        return false;
    uint64_t index = member(root, S("/first_index"));
    uint64_t duplicates = member(root, S("/duplicates"));
    if (index == UINT64_MAX || member(root, S("/count")) + duplicates != n || (duplicates && n > 1))
        return false;
    remember(s, number, n, index);
    return true;
}

/* False when the connection is of no more use. */
static bool send_events(struct sender *s, int fd, uint64_t number, uint64_t n, struct buf *in)
{
    CLEANUP(buf_close) struct buf events = BUF(REPLY_BYTES_MAX);
    str body;

    put_events(s, number, n, &events);
    int status = ask(s, fd, "POST /api/v1/events", buf_str(&events), in, &body);
    if (status == 0)
        return false;
    if (status == 503) { /* the queue is full, or the server stops: not taken */
        s->refused++;
        return true;
    }
    if (read_ack(s, body, number, n))
        return true;
    if (!s->strange++)
        fprintf(stderr, "a strange reply: %d %.*s\n", status, STR_FMT(body));
    return false;
}

/* ---- checkpoints ---- */

static void see_checkpoint(struct sender *s, int fd, struct buf *in)
{
    CLEANUP(ctx_cleanup) struct ctx *cx = ctx_open(0);
    struct checkpoint c;
    struct note note;
    str body;

    if (ask(s, fd, "GET /log/checkpoint", S(""), in, &body) != 200 ||
        note_parse(cx, body, &note) != ERR_OK || checkpoint_parse(cx, note.text, &c) != ERR_OK)
        return;
    s->checkpoint_size = c.size;
    s->checkpoint_root = c.root;
}

/* ---- the thread ---- */

/* What had no answer is sent again, one by one, so that each is told its index. */
static bool send_doubtful(struct sender *s, int fd, struct buf *in)
{
    uint64_t to = u64_min(s->doubtful_to, s->doubtful_from + RESENT_MAX);

    for (; s->doubtful_from < to; s->doubtful_from++)
        if (!send_events(s, fd, s->doubtful_from, 1, in))
            return false;
    s->doubtful_from = s->doubtful_to = 0;
    return true;
}

static void *run(void *arg)
{
    CLEANUP(buf_close) struct buf in = BUF(REPLY_BYTES_MAX);
    struct sender *s = arg;
    int fd = dial(s->address);
    bool good = fd >= 0 && send_doubtful(s, fd, &in);

    while (good && !s->stop) {
        uint64_t n = 1 + roll(s, roll(s, 2) ? 3 : SENDER_BATCH_MAX), number = s->next;
        s->next += n;
        good = send_events(s, fd, number, n, &in);
        if (!good) {
            s->doubtful_from = number;
            s->doubtful_to = number + n;
            s->lost_answers++;
        } else if (roll(s, CHECKPOINT_EVERY) == 0) {
            see_checkpoint(s, fd, &in);
        }
    }
    if (fd >= 0)
        close(fd);
    return NULL;
}

void sender_open(struct sender *s, unsigned id, const char *key, uint64_t seed)
{
    *s = (struct sender){.id = id, .key = key, .random = seed};
}

void sender_close(struct sender *s)
{
    free(s->acked);
}

void sender_start(struct sender *s, const char *address)
{
    snprintf(s->address, sizeof s->address, "%s", address);
    s->stop = false;
    s->thread = thread_start("sender", run, s);
}

void sender_join(struct sender *s)
{
    s->stop = true;
    pthread_join(s->thread, NULL);
}
