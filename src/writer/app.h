/* app.h - what handlers, jobs and commands of a running server may reach. */
#pragma once
#include "base/base.h"

struct app {
    struct ledger *ledger;
    struct store *view;  /* reads take connections of its pool */
    struct store *vault; /* access/ only */
    struct writer *writer;
    struct access *access;
    struct audit *audit;
    struct ingest *ingest;
    str origin, vkey;
    str version;
    str public_url; /* "http://127.0.0.1:8080" */
    str data_dir;   /* NUL-terminated */
    int64_t started_us;
    _Atomic int stopping; /* readiness is 503 from now on */
};
