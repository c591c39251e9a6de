/* page.c - see page.h.  No script: what it shows is written by the server each time it is asked
 * for. */
#include "ops/page.h"
#include "base/clock.h"
#include "ledger/ledger.h"

static const char style[] =
    ":root{color-scheme:light dark;--line:#8884;--soft:#8882}"
    "body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:3rem auto;padding:0 1rem}"
    "h1{font-weight:600;letter-spacing:-.02em;margin-bottom:0}"
    "h2{font-size:1rem;margin:2rem 0 .5rem}"
    "p.lead{margin-top:.25rem;opacity:.75}"
    "dl{display:grid;grid-template-columns:max-content 1fr;gap:.3rem 1.5rem;margin:1.5rem 0;"
    "padding:1rem 0;border:solid var(--line);border-width:1px 0}"
    "dt{opacity:.7}dd{margin:0;font-variant-numeric:tabular-nums;overflow-wrap:anywhere}"
    "pre{background:var(--soft);padding:.8rem "
    "1rem;overflow-x:auto;border-radius:6px;font-size:.85rem}"
    "code{font-family:ui-monospace,monospace}";

str page_style(void)
{
    return (str){style, sizeof style - 1};
}

void html_put(struct buf *b, str text)
{
    static const struct {
        char c;
        str entity;
    } entities[] = {{'&', STR_INIT("&amp;")},
                    {'<', STR_INIT("&lt;")},
                    {'>', STR_INIT("&gt;")},
                    {'"', STR_INIT("&quot;")},
                    {'\'', STR_INIT("&#39;")}};

    for (size_t i = 0; i < text.n; i++) {
        size_t k = 0;
        while (k < COUNT(entities) && entities[k].c != text.p[i])
            k++;
        if (k < COUNT(entities))
            buf_put(b, entities[k].entity);
        else
            buf_put_char(b, text.p[i]);
    }
}

static void put_row(struct buf *b, const char *name, str value)
{
    buf_printf(b, "<dt>%s</dt><dd>", name);
    html_put(b, value);
    buf_put(b, S("</dd>"));
}

static void put_number(struct buf *b, const char *name, uint64_t value)
{
    buf_printf(b, "<dt>%s</dt><dd>%llu</dd>", name, (unsigned long long)value);
}

static void put_state(struct buf *b, const struct app *app)
{
    struct ledger_figures f = ledger_figures(app->ledger);
    char signed_at[TIME_TEXT_SIZE] = "none yet";

    if (f.checkpoint_us)
        time_format(f.checkpoint_us, signed_at);
    buf_put(b, S("<dl>"));
    put_row(b, "State", ledger_is_writable(app->ledger) ? S("taking events") : S("cannot write"));
    put_number(b, "Entries", f.entries);
    put_number(b, "Covered by the last checkpoint", ledger_checkpoint_size(app->ledger));
    put_row(b, "Last checkpoint", str_from(signed_at));
    put_row(b, "Log", app->origin);
    put_row(b, "Verifier key", app->vkey);
    put_row(b, "Version", app->version);
    buf_put(b, S("</dl>"));
}

static const char first_steps[] =
    "<h2>Send a first event</h2><pre><code>"
    "curl -s URL/api/v1/events -H \"Authorization: Bearer $CHANCERY_KEY\" \\\n"
    "  -H 'Content-Type: application/json' -H 'Prefer: wait=proof' -o receipt.json -d '{\n"
    "    \"specversion\": \"1.0\", \"id\": \"1\", \"source\": \"/hello\", \"type\": "
    "\"greeting.sent\",\n"
    "    \"subject\": \"case/1\", \"data\": {\"text\": \"Hello\"}}'</code></pre>"
    "<h2>Verify it without trusting this server</h2><pre><code>"
    "curl -s URL/log/vkey &gt; log.vkey\n"
    "curl -s URL/api/v1/events/INDEX -H \"Authorization: Bearer $CHANCERY_KEY\" &gt; event.json\n"
    "chancery check --vkey log.vkey receipt.json event.json</code></pre>"
    "<p>Keys are made by an administrator, or on this machine with "
    "<code>chancery key create</code>. The whole API: <a "
    "href=\"/openapi.json\">/openapi.json</a>.</p>";

void page_write(struct buf *b, const struct app *app)
{
    str steps = {first_steps, sizeof first_steps - 1};

    buf_put(b, S("<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Chancery</title>"
                 "<meta name=\"viewport\" content=\"width=device-width\">"
                 "<link rel=\"stylesheet\" href=\"/style.css\"><h1>Chancery</h1>"
                 "<p class=\"lead\">Every record can be proved.</p>"));
    put_state(b, app);
    while (steps.n) {
        size_t at = str_find(steps, S("URL"));
        buf_put(b, str_slice(steps, 0, at));
        if (at < steps.n)
            html_put(b, app->public_url);
        steps = str_slice(steps, at + 3, steps.n);
    }
    buf_put(b, S("</html>\n"));
}
