/* suggest.h - "did you mean …?": the nearest of many names to one that was mistyped. */
#pragma once
#include "base/base.h"

struct suggestion {
    str word; /* what was typed */
    str best; /* null: nothing is near */
    size_t distance;
};

struct suggestion suggest_begin(str word);
void suggest_try(struct suggestion *s, str candidate); /* borrowed as long as `s` is used */
/* "; did you mean 'x'?" or "" in cx->mem, to stand behind an error's text. */
const char *suggest_text(struct ctx *cx, const struct suggestion *s);
