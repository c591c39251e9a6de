/* json_tape.h - the door between C and simdjson; private to json.c. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
struct json_tape_parser;
struct json_tape_parser *json_tape_open(size_t depth_max); /* NULL when memory runs out */
void json_tape_close(struct json_tape_parser *p);
/* NULL when good, else simdjson's message (static).  `padded`: JSON_PADDING bytes follow the text.
 */
const char *json_tape_parse(struct json_tape_parser *p, const char *text, size_t n, int padded,
                            const uint64_t **out_tape, const uint8_t **out_strings);
#ifdef __cplusplus
}
#endif
