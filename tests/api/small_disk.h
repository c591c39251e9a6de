/* small_disk.h - a file system of a few megabytes that a test may fill, write-protect and drop.
 *
 * It is mounted in a mount namespace of the test's own process, so that nothing of it is seen
 * outside and nothing is left behind. */
#pragma once
#include "test.h"

/* Mounted at `path`, which is made; false when the system does not let us. */
bool small_disk_mount(const char *path, unsigned megabytes);
void small_disk_protect(const char *path);
void small_disk_drop(const char *path);
/* Leave about so many bytes free, by a file "filler" that grows or shrinks. */
void small_disk_fill(const char *path, size_t leave_bytes);
