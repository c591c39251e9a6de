/* small_disk.c - see small_disk.h. */
#include "small_disk.h"
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

static bool write_line(const char *path, const char *line)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool good = fd >= 0 && write(fd, line, strlen(line)) == (ssize_t)strlen(line);

    if (fd >= 0)
        close(fd);
    return good;
}

/* Who is not root becomes the root of a user namespace, where the system allows that. */
static bool enter_namespace(void)
{
    static bool inside;
    unsigned uid = geteuid(), gid = getegid();
    char uid_map[64], gid_map[64];

    if (inside)
        return true;
    if (unshare(CLONE_NEWNS) != 0) {
        snprintf(uid_map, sizeof uid_map, "0 %u 1", uid);
        snprintf(gid_map, sizeof gid_map, "0 %u 1", gid);
        if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0 ||
            !write_line("/proc/self/setgroups", "deny") ||
            !write_line("/proc/self/uid_map", uid_map) ||
            !write_line("/proc/self/gid_map", gid_map))
            return false;
    }
    inside = mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
    return inside;
}

bool small_disk_mount(const char *path, unsigned megabytes)
{
    char options[64];

    snprintf(options, sizeof options, "size=%um,mode=0700", megabytes);
    return enter_namespace() && mkdir(path, 0700) == 0 &&
           mount("tmpfs", path, "tmpfs", 0, options) == 0;
}

void small_disk_protect(const char *path)
{
    CHECK_EQ(mount(NULL, path, NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
}

void small_disk_drop(const char *path)
{
    CHECK_EQ(umount2(path, MNT_DETACH), 0);
}

void small_disk_fill(const char *path, size_t leave_bytes)
{
    struct statvfs now;
    char filler[512];

    snprintf(filler, sizeof filler, "%s/filler", path);
    unlink(filler);
    CHECK_EQ(statvfs(path, &now), 0);
    size_t room = (size_t)(now.f_bavail * now.f_frsize);
    int fd = open(filler, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    CHECK(fd >= 0);
    if (room > leave_bytes)
        CHECK_EQ(posix_fallocate(fd, 0, (off_t)(room - leave_bytes)), 0);
    close(fd);
}
