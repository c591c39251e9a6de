/* verify_remote.h - verifying a log of which only the served tiles can be had. */
#pragma once
#include "cli/command.h"
#include "ledger/verify.h"

/* Fetch checkpoint, bundles and tiles of cli->url; compute every hash again.  `vkey` null: the
 * server's own is believed. */
err verify_remote(struct ctx *cx, struct cli *cli, str vkey,
                  void (*progress)(void *state, uint64_t done, uint64_t total), void *state,
                  struct verify_report *out);
