// json_tape.cc - the one C++ file: simdjson's DOM parser behind a C door.
// The tape's layout is documented by simdjson (doc/tape.md) and read by json.c.
#include "base/json_tape.h"
#include <new>
#include <simdjson.h>

struct json_tape_parser {
    simdjson::dom::parser parser;
    size_t depth_max;
};

extern "C" json_tape_parser *json_tape_open(size_t depth_max)
{
    auto *p = new (std::nothrow) json_tape_parser();
    if (p) {
        p->depth_max = depth_max;
        if (p->parser.allocate(16 * 1024, depth_max)) {
            delete p;
            return nullptr;
        }
    }
    return p;
}

extern "C" void json_tape_close(json_tape_parser *p)
{
    delete p;
}

extern "C" const char *json_tape_parse(json_tape_parser *p, const char *text, size_t n, int padded,
                                       const uint64_t **out_tape, const uint8_t **out_strings)
{
    if (n > p->parser.capacity() && p->parser.allocate(n, p->depth_max))
        return "there is not enough memory";
    auto result = p->parser.parse(text, n, padded == 0);
    if (result.error())
        return simdjson::error_message(result.error());
    *out_tape = p->parser.doc.tape.get();
    *out_strings = p->parser.doc.string_buf.get();
    return nullptr;
}
