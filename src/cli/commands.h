/* commands.h - every command of Chancery, one file each; src/main.c lists them. */
#pragma once
#include "cli/command.h"

extern const struct command bench_command;
extern const struct command check_command;
extern const struct command completion_command;
extern const struct command config_command;
extern const struct command doctor_command;
extern const struct command export_command;
extern const struct command health_command;
extern const struct command help_command;
extern const struct command ingest_command;
extern const struct command init_command;
extern const struct command key_command;
extern const struct command monitor_command;
extern const struct command prove_command;
extern const struct command query_command;
extern const struct command rebuild_command;
extern const struct command serve_command;
extern const struct command stats_command;
extern const struct command tail_command;
extern const struct command user_command;
extern const struct command verify_command;
extern const struct command version_command;
extern const struct command witness_command;
