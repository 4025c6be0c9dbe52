/* SPDX-License-Identifier: MIT */
/* power_loss.c - notes beside each append-only file how much of it is on disk.
 *
 *     cc -shared -fPIC power_loss.c -o power_loss.so -ldl
 *     LD_PRELOAD=power_loss.so redis-server ...
 *
 * A process that is killed loses nothing: the kernel keeps what was written. What a
 * power loss takes is what was written and not synced. So after each fsync() and
 * fdatasync() of FILE.aof the file's size of before the call goes into
 * FILE.aof.synced. A test kills the process, cuts the file to that size, and has
 * what a disk would have. True for files that are only appended to. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_SIZE = 4096, DIGITS = 20 };

/* The test must not go on with a note that is wrong. */
static void give_up(const char *what)
{
    perror(what);
    abort();
}

/* Where to note the size of this file; false: it is none that counts. */
static int note_path(int fd, char *ret_path)
{
    char link[64];
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, ret_path, PATH_SIZE - sizeof(".synced"));
    if (length < (ssize_t) strlen(".aof"))
        return 0;
    ret_path[length] = '\0';
    if (strcmp(ret_path + length - strlen(".aof"), ".aof") != 0)
        return 0;
    strcpy(ret_path + length, ".synced");
    return 1;
}

/* Always as many digits, so that one write replaces the note as a whole. */
static void note(const char *path, off_t size)
{
    char text[DIGITS + 1];
    snprintf(text, sizeof(text), "%0*lld", DIGITS, (long long) size);
    int file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (file < 0 || pwrite(file, text, DIGITS, 0) != DIGITS)
        give_up(path);
    close(file);
}

static int sync_and_note(int fd, const char *name)
{
    int (*sync)(int) = (int (*)(int)) dlsym(RTLD_NEXT, name);
    char path[PATH_SIZE];
    struct stat before;
    if (!sync || fstat(fd, &before) != 0)
        give_up(name);
    int result = sync(fd);
    int why = errno;
    if (result == 0 && note_path(fd, path))
        note(path, before.st_size);
    errno = why;
    return result;
}

int fdatasync(int fd)
{
    return sync_and_note(fd, "fdatasync");
}

int fsync(int fd)
{
    return sync_and_note(fd, "fsync");
}
