/* access_event.h - what the events of this domain say: one struct and field table each. */
#pragma once
#include "writer/event.h"

struct user_created {
    str role;
    str credential; /* names the password's hash in the vault */
};

struct user_password_set {
    str credential;
};

struct key_created {
    str name;
    struct strs scopes;
    int64_t expires_us;
};

struct session_started {
    int64_t expires_us;
};

struct session_ended {
    str reason;
};

struct refused {
    str method, route, reason;
    uint64_t count;   /* how many this event stands for */
    int64_t since_us; /* when the first of them came */
};

/* Of our own events; for the module table. */
extern const struct event_kind access_events[];
