/* jobs.h - the thread that runs what modules want done from time to time. */
#pragma once
#include "writer/app.h"

struct jobs;

struct jobs *jobs_open(struct app *app); /* owned; starts the thread */
void jobs_close(struct jobs *j);         /* waits for a running job; NULL is a no-op */
