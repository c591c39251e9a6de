/* sodium_ready.h - libsodium, started before its first use.  Only for .c files of this folder. */
#pragma once
#include "base/macros.h"
#include <sodium.h>

/* Cheap and safe from any thread; fails only on a system without randomness. */
static inline void sodium_ready(void)
{
    ENSURE(sodium_init() >= 0);
}
