/* page.h - the one static page at "/": state, size, last checkpoint, how to begin. */
#pragma once
#include "base/buf.h"
#include "writer/app.h"

void page_write(struct buf *b, const struct app *app);
str page_style(void);                   /* static */
void html_put(struct buf *b, str text); /* escaped for text and quoted attributes */
