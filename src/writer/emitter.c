/* emitter.c - see emitter.h.  What a fold sees is always decoded from the entry's bytes, whether
 * the event is new or read back years later, so that a rebuild cannot differ. */
#include "writer/emitter.h"
#include "base/clock.h"
#include "base/json_write.h"

void emitter_open(struct emitter *e, const struct event_kind *const *kinds)
{
    *e = (struct emitter){
        .kinds = kinds, .parser = json_parser_open(), .text = BUF(ENTRY_BYTES_MAX + JSON_PADDING)};
    entry_batch_init(&e->batch, UINT32_MAX);
}

void emitter_close(struct emitter *e)
{
    json_parser_close(e->parser);
    entry_batch_close(&e->batch);
    buf_close(&e->text);
}

void emitter_begin(struct emitter *e, uint64_t first)
{
    entry_batch_clear(&e->batch);
    e->first = first;
}

void emitter_undo(struct emitter *e, size_t count)
{
    entry_batch_truncate(&e->batch, count);
}

static const struct event_kind *find_kind(const struct emitter *e, str type)
{
    for (const struct event_kind *const *table = e->kinds; *table; table++)
        for (const struct event_kind *k = *table; k->type; k++)
            if (str_eq(str_from(k->type), type))
                return k;
    return NULL;
}

/* ---- an entry to the view ---- */

static str member_str(struct json root, str name)
{
    struct json v;

    return json_get(root, name, &v) ? json_str(v) : STR_NULL;
}

err emitter_fold(struct ctx *cx, struct emitter *e, uint64_t index, str entry, struct db *view)
{
    struct logged_event event = {.index = index};
    struct json root;

    TRY(json_parse(cx, e->parser, entry, &root));
    if (!str_eq(member_str(root, S("source")), EVENT_SOURCE))
        return ERR_OK;
    event.type = member_str(root, S("type"));
    const struct event_kind *kind = find_kind(e, event.type);
    if (!kind || !kind->fold)
        return ERR_OK;
    event.subject = member_str(root, S("subject"));
    event.actor = member_str(root, S("actor"));
    event.principal = member_str(root, S("principal"));
    event.outcome = member_str(root, S("outcome"));
    event.has_data = json_get(root, S("data"), &event.data);
    if (!time_parse(member_str(root, S("recorded")), &event.recorded_us))
        return fail(cx, ERR_CORRUPT, "entry %llu has no stamp", (unsigned long long)index);
    return kind->fold(cx, view, &event);
}

err event_data(struct ctx *cx, const struct logged_event *e, const struct shape *shape, void *out)
{
    if (!e->has_data)
        return fail(cx, ERR_CORRUPT, "event %llu (%.*s) has no data", (unsigned long long)e->index,
                    STR_FMT(e->type));
    return shape_decode(cx, shape, e->data, out);
}

/* ---- an event to an entry ---- */

void emitter_encode_data(const struct emitter *e, const struct event *event, struct buf *out)
{
    const struct event_kind *kind = find_kind(e, str_from(event->type));

    ENSURE(kind); /* every type that is emitted stands in a table */
    if (event->data)
        shape_encode(out, kind->data, event->data);
}

static void put_optional(struct buf *b, str key, str value)
{
    if (value.n)
        json_member_str(b, key, value);
}

static void put_event(struct buf *b, const struct event *event, str data, const struct actor *actor,
                      int64_t now_us)
{
    char id[UUID_TEXT_SIZE];

    uuid7(id);
    buf_clear(b);
    json_open(b, '{');
    json_member_str(b, S("specversion"), S("1.0"));
    json_member_str(b, S("id"), str_from(id));
    json_member_str(b, S("source"), EVENT_SOURCE);
    json_member_str(b, S("type"), str_from(event->type));
    json_member_time(b, S("time"), now_us);
    put_optional(b, S("subject"), event->subject);
    json_member_str(b, S("actor"), actor->principal);
    put_optional(b, S("outcome"), event->outcome);
    put_optional(b, S("remoteip"), actor->remoteip);
    put_optional(b, S("sessionid"), actor->sessionid);
    if (data.n)
        json_member_raw(b, S("data"), data);
    json_close(b, '}');
}

err emitter_add(struct ctx *cx, struct emitter *e, const struct event *event, str data,
                const struct actor *actor, int64_t now_us, struct db *view)
{
    struct entry_stamp stamp = {.recorded_us = now_us, .principal = actor->principal, .own = true};
    uint64_t index = e->first + e->batch.count;

    put_event(&e->text, event, data, actor, now_us);
    str text = buf_str(&e->text);
    if (!buf_ok(&e->text) || !buf_reserve(&e->text, JSON_PADDING))
        return fail(cx, ERR_TOO_LARGE, "the event %s is larger than an entry may be", event->type);
    text.p = e->text.p;
    memset(e->text.p + e->text.n, 0, JSON_PADDING);
    TRY(entry_add(cx, &e->batch, e->parser, text, &stamp));
    return view ? emitter_fold(cx, e, index, entry_batch_get(&e->batch, e->batch.count - 1), view)
                : ERR_OK;
}

err emit(struct ctx *cx, struct work *work, const struct event *event)
{
    CLEANUP(buf_close) struct buf data = BUF(ENTRY_BYTES_MAX);

    emitter_encode_data(work->emitter, event, &data);
    TRY(buf_check(cx, &data, "the event's data"));
    return emitter_add(cx, work->emitter, event, buf_str(&data), work->actor, work->now_us,
                       work->view);
}
