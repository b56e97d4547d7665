/*
 * Loaded into a program (LD_PRELOAD) it makes every flush to disk take 10 ms longer, one flush at a time over all
 * programs that name the same SLOW_FLUSH_LOCK: the way of an SD card.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

typedef int (*flush_call)(int);

static int slowly(const char *name, int fd)
{
    const char *path = getenv("SLOW_FLUSH_LOCK");
    flush_call real = (flush_call)dlsym(RTLD_NEXT, name);
    /* A descriptor of its own each time, so that threads wait for each other too. */
    int lock = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    int result;

    if (lock >= 0)
        flock(lock, LOCK_EX);
    usleep(10000);
    result = real(fd);
    if (lock >= 0)
        close(lock);
    return result;
}

int fsync(int fd)
{
    return slowly("fsync", fd);
}

int fdatasync(int fd)
{
    return slowly("fdatasync", fd);
}
