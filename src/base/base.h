/* base.h - the words every file of Chancery uses.
 *
 * Includes only the parts of base that nearly every file needs; json.h, fs.h, log.h and the others
 * are included where they are used. */
#pragma once
#include "base/arena.h"
#include "base/ctx.h"
#include "base/err.h"
#include "base/macros.h"
#include "base/str.h"
