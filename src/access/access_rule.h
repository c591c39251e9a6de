/* access_rule.h - what names and passwords must be.  Pure.
 *
 * Passwords follow NIST SP 800-63B: they are the only factor, so at least 15 characters, at most
 * 1024 bytes, any characters, no rules of composition, and not one that is tried first. */
#pragma once
#include "base/base.h"

enum { PASSWORD_CHARACTERS_MIN = 15, USER_NAME_BYTES_MAX = 64, KEY_NAME_BYTES_MAX = 80 };

/* Lower-case letters, digits and . _ - @ +, beginning with a letter or digit.  INVALID, /username.
 */
err user_name_check(struct ctx *cx, str name);
/* INVALID with an issue at /password. */
err password_check(struct ctx *cx, str user_name, str password);
/* Text for people: UTF-8 without control characters.  INVALID, /name. */
err key_name_check(struct ctx *cx, str name);
