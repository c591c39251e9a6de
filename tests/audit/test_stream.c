/* test_stream.c - live streams: who gets what, resuming, limits, slow clients. */
#include "house.h"
#include "http/sse.h"
#include "http/transport.h"
#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

/* One subscriber and what it has been sent so far. */
struct client {
    struct house *house;
    struct harness *h;
    struct buf text;
};

static struct client *subscribe(struct ctx *cx, struct house *house, const char *query,
                                const char *last_event_id)
{
    struct client *c = arena_new(cx->mem, struct client, 1);

    *c = (struct client){house, house_client(house), BUF(1 << 26)};
    if (last_event_id)
        harness_header(c->h, "Last-Event-ID", last_event_id);
    const struct reply *r =
        harness_get(c->h, arena_printf(cx->mem, "/api/v1/events/stream?%s", query).p);
    CHECK_EQ(r->status, 200);
    CHECK(r->live);
    CHECK_STR(reply_header(r, "Content-Type"), S("text/event-stream"));
    return c;
}

static void unsubscribe(struct client *c)
{
    harness_close(c->h);
    buf_close(&c->text);
}

static void collect(struct client *c)
{
    str more = harness_events(c->h);

    buf_put(&c->text, more);
    CHECK(buf_ok(&c->text));
}

struct has_text {
    struct client *client;
    const char *text;
};

static bool has_text(void *state)
{
    const struct has_text *w = state;

    collect(w->client);
    str got = buf_str(&w->client->text);
    return str_find(got, str_from(w->text)) < got.n;
}

static void wait_for_id(struct ctx *cx, struct client *c, uint64_t index)
{
    struct has_text w = {c, arena_printf(cx->mem, "id: %llu\n", (unsigned long long)index).p};

    wait_until(has_text, &w);
}

/* The ids that were sent, in order. */
static size_t ids(const struct client *c, uint64_t *out)
{
    str rest = buf_str(&c->text);
    size_t n = 0;

    while (rest.n) {
        str line = str_cut(&rest, '\n');
        if (str_starts(line, S("id: ")))
            CHECK(str_to_u64(str_slice(line, 4, line.n), &out[n++]));
    }
    return n;
}

static bool is_login(uint64_t i)
{
    return strcmp(event_type(i), "user.login") == 0;
}

static bool is_denied_in_three(uint64_t i)
{
    return event_case(i) == 3 && event_is_denied(i);
}

static bool any(uint64_t i)
{
    (void)i;
    return true;
}

static void check_ids(struct ctx *cx, const struct client *c, uint64_t from, uint64_t to,
                      bool (*wanted)(uint64_t))
{
    uint64_t *got = arena_new(cx->mem, uint64_t, to + 1);
    size_t n = ids(c, got), at = 0;

    for (uint64_t i = from; i < to; i++) {
        if (!wanted(i))
            continue;
        CHECK(at < n);
        CHECK_EQ(got[at], i);
        at++;
    }
    CHECK_EQ(at, n);
}

/* clang-format off */
static const struct {
    const char *query;
    bool (*wanted)(uint64_t i);
} streams[] = {
    {"", any},
    {"type=user.login", is_login},
    {"subject=case/3&outcome=denied", is_denied_in_three},
    {"q=needle", event_has_needle},
};
/* clang-format on */

/* Recorded one by one and in bulk; the last event is for everybody. */
TEST(each_stream_gets_what_its_filter_finds)
{
    struct house *house = house_open(cx, dir, NULL);
    struct client *clients[COUNT(streams)];

    house_fill(cx, house, 300);
    for (size_t i = 0; i < COUNT(streams); i++)
        clients[i] = subscribe(cx, house, streams[i].query, NULL);
    for (int i = 0; i < 20; i++)
        house_fill(cx, house, 1);
    house_fill(cx, house, 1000);
    uint64_t end = ledger_size(house->app.ledger);
    for (size_t i = 0; i < COUNT(streams); i++) {
        uint64_t last = end - 1;
        while (!streams[i].wanted(last))
            last--;
        wait_for_id(cx, clients[i], last);
        check_ids(cx, clients[i], 300, end, streams[i].wanted);
    }
    for (size_t i = 0; i < COUNT(streams); i++)
        unsubscribe(clients[i]);
    house_close(house);
}

TEST(an_event_on_a_stream_is_the_item_of_a_list)
{
    struct house *house = house_open(cx, dir, NULL);
    struct client *c = subscribe(cx, house, "", NULL);

    (void)house_add_raw(cx, house, S("raw"));
    wait_for_id(cx, c, 0);
    CHECK_HOLDS(buf_str(&c->text),
                "id: 0\ndata: {\"index\":0,\"event\":null,\"raw\":\"cmF3\"}\n\n");
    unsubscribe(c);
    house_close(house);
}

TEST(a_stream_resumes_behind_the_last_event)
{
    struct house *house = house_open(cx, dir, NULL);

    house_fill(cx, house, 2000);
    struct client *by_header = subscribe(cx, house, "type=user.login", "99");
    struct client *by_param = subscribe(cx, house, "after=99&type=user.login", NULL);
    struct client *all_of_it = subscribe(cx, house, "q=needle&after=0", "18446744073709551615");
    house_fill(cx, house, 100);
    wait_for_id(cx, by_header, 2097);
    wait_for_id(cx, by_param, 2097);
    check_ids(cx, by_header, 100, 2100, is_login);
    check_ids(cx, by_param, 100, 2100, is_login);
    wait_for_id(cx, all_of_it, 2027); /* behind the end means: what comes next */
    check_ids(cx, all_of_it, 2000, 2100, event_has_needle);
    unsubscribe(by_header);
    unsubscribe(by_param);
    unsubscribe(all_of_it);
    house_close(house);
}

/* More at once than the live way takes, and a resume over a sealed segment. */
TEST(a_stream_catches_up_over_segments)
{
    struct house *house = house_open(cx, dir, NULL);
    struct client *live = subscribe(cx, house, "subject=case/3&outcome=denied", NULL);

    house_fill(cx, house, SEGMENT_ENTRIES + 20000);
    CHECK_OK(ledger_seal_wait(cx, house->app.ledger));
    uint64_t end = ledger_size(house->app.ledger), last = end - 1;
    while (!is_denied_in_three(last))
        last--;
    struct client *late = subscribe(cx, house, "subject=case/3&outcome=denied", "0");
    struct client *everything = subscribe(cx, house, "", "0");
    wait_for_id(cx, live, last);
    wait_for_id(cx, late, last);
    wait_for_id(cx, everything, end - 1);
    check_ids(cx, live, 0, end, is_denied_in_three);
    check_ids(cx, late, 1, end, is_denied_in_three);
    check_ids(cx, everything, 1, end, any);
    unsubscribe(live);
    unsubscribe(late);
    unsubscribe(everything);
    house_close(house);
}

TEST(streams_have_limits)
{
    const struct house_options options = {.audit = {.streams_max = 3, .streams_of_one_max = 2}};
    struct house *house = house_open(cx, dir, &options);
    struct client *first = subscribe(cx, house, "", NULL), *second = subscribe(cx, house, "", NULL);

    CHECK_EQ(harness_get(house->h, "/api/v1/events/stream")->status, 429);
    harness_key(house->h, "exporter");
    const struct reply *r = harness_get(house->h, "/api/v1/events/stream");
    CHECK_EQ(r->status, 200);
    struct harness *fourth = house_client(house);
    harness_key(fourth, "exporter");
    r = harness_get(fourth, "/api/v1/events/stream");
    CHECK_EQ(r->status, 503);
    CHECK(!str_is_null(reply_header(r, "Retry-After")));
    unsubscribe(first);
    CHECK_EQ(harness_get(fourth, "/api/v1/events/stream")->status, 200);
    unsubscribe(second);
    harness_close(fourth);
    CHECK_EQ(harness_send(house->h, "HEAD", "/api/v1/events/stream", STR_NULL)->status, 200);
    harness_hang_up(house->h);
    house_close(house);
}

/* A live client that reads nothing is dropped; one that catches up is only sent what it reads. */
TEST(a_client_that_does_not_read_holds_nobody_up)
{
    struct house *house = house_open(cx, dir, NULL);
    struct client *reads = subscribe(cx, house, "", NULL), *sleeps = subscribe(cx, house, "", NULL);

    for (int i = 0; i < 20; i++) {
        house_fill(cx, house, 500);
        wait_for_id(cx, reads, house->filled - 1);
    }
    check_ids(cx, reads, 0, house->filled, any);
    collect(sleeps);
    CHECK(sleeps->text.n <= SSE_BACKLOG_BYTES_MAX);
    uint64_t *got = arena_new(cx->mem, uint64_t, house->filled);
    size_t n = ids(sleeps, got);
    CHECK(n > 0 && n < house->filled);
    for (size_t i = 0; i < n; i++)
        CHECK_EQ(got[i], i);
    unsubscribe(reads);
    unsubscribe(sleeps);
    house_close(house);
}

/* ---- over a socket ---- */

static int connect_to(const char *address)
{
    str port = str_slice(str_from(address), S("127.0.0.1:").n, SIZE_MAX);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    uint64_t number;

    CHECK(str_to_u64(port, &number));
    to.sin_port = htons((uint16_t)number);
    CHECK(fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to) == 0);
    return fd;
}

static size_t count_text(str s, const char *text)
{
    size_t n = 0;

    for (size_t at = str_find(s, str_from(text)); at < s.n; at = str_find(s, str_from(text))) {
        s = str_slice(s, at + 1, s.n);
        n++;
    }
    return n;
}

TEST(a_stream_over_a_socket_is_one_answer_and_its_events)
{
    static const char request[] = "GET /api/v1/events/stream?after=0 HTTP/1.1\r\nHost: test\r\n"
                                  "Authorization: Bearer reader\r\n\r\n";
    const struct transport_options options = {.listen = "127.0.0.1:0",
                                              .loops = 1,
                                              .workers = 1,
                                              .connections_max = 4,
                                              .queue_max = 4,
                                              .head_bytes_max = 16384,
                                              .body_window_bytes = 65536,
                                              .idle_ns = INT64_C(10000000000),
                                              .receive_ns = INT64_C(10000000000),
                                              .memory_bytes_max = 1 << 24};
    struct house *house = house_open(cx, dir, NULL);
    struct transport *transport;
    struct buf got = BUF(1 << 20);

    CHECK_OK(transport_open(cx, &options, house->router, &transport));
    house_fill(cx, house, 50);
    int fd = connect_to(transport_address(transport));
    CHECK_EQ(send(fd, request, sizeof request - 1, 0), sizeof request - 1);
    while (count_text(buf_str(&got), "\n\n") < 50) { /* 49 events; the head ends in \r\n\r\n */
        CHECK(buf_reserve(&got, 4096));
        ssize_t n = recv(fd, got.p + got.n, 4096, 0);
        CHECK(n > 0);
        got.n += (size_t)n;
        if (count_text(buf_str(&got), "id: ") == 49 && str_ends(buf_str(&got), S("\n\n")))
            break;
    }
    CHECK_EQ(count_text(buf_str(&got), "HTTP/1.1"), 1);
    CHECK_HOLDS(buf_str(&got), "\r\n\r\nid: 1\n");
    close(fd);
    buf_close(&got);
    transport_close(transport);
    house_close(house);
}
