/* SPDX-License-Identifier: MIT */
#include "commands/import_lines.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "commands/progress.h"

struct import_lines {
    int file;
    off_t start, at; /* where the first line is, what is read next */
    uint64_t bytes, number;
    size_t begin, end; /* of what is buffered and not handed out */
    char buffer[IMPORT_LINE_MAX + 1];
};

static status_t complain(const char *path, const char *what)
{
    fprintf(stderr, "confab import: %s %s: %s\n", path ? path : "standard input", what,
            strerror(errno));
    return ERR_CONFIG;
}

static bool all_written(int file, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t written = write(file, bytes, length);
        if (written < 0 && errno != EINTR)
            return false;
        bytes += written < 0 ? 0 : written;
        length -= written < 0 ? 0 : (size_t) written;
    }
    return true;
}

/* Copies what is left of `from` into a file that no other process sees. */
static int spool(import_lines_t *self, int from, const char *folder)
{
    struct progress progress;
    uint64_t copied = 0;
    ssize_t got = 1;
    int to = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    progress_start(&progress, "import", "bytes copied");
    while (to >= 0 && got != 0) {
        got = read(from, self->buffer, sizeof self->buffer);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 || !all_written(to, self->buffer, (size_t) got)) {
            close(to);
            to = -1;
        }
        copied += got > 0 ? (uint64_t) got : 0;
        progress_show(&progress, copied, 0, 0);
    }
    progress_end(&progress);
    return to;
}

status_t import_lines_open(const char *path, const char *folder, import_lines_t **ret_lines)
{
    import_lines_t *self = (import_lines_t *) calloc(1, sizeof *self);
    assert(self);
    struct stat stat;
    status_t status = OK;
    self->file = path ? open(path, O_RDONLY | O_CLOEXEC) : dup(STDIN_FILENO);
    if (self->file < 0 || fstat(self->file, &stat) < 0)
        status = complain(path, "cannot be read");
    if (status == OK && S_ISREG(stat.st_mode)) {
        self->start = lseek(self->file, 0, SEEK_CUR);
    } else if (status == OK) {
        int copy = spool(self, self->file, folder);
        if (copy < 0 || fstat(copy, &stat) < 0)
            status = complain(path, "cannot be copied into a file of its own");
        close(self->file);
        self->file = copy;
    }
    if (status != OK) {
        import_lines_close(&self);
        return status;
    }
    self->bytes = (uint64_t) (stat.st_size > self->start ? stat.st_size - self->start : 0);
    import_lines_rewind(self);
    *ret_lines = self;
    return OK;
}

void import_lines_close(import_lines_t **lines_p)
{
    import_lines_t *self = *lines_p;
    if (!self)
        return;
    if (self->file >= 0)
        close(self->file);
    free(self);
    *lines_p = NULL;
}

void import_lines_rewind(import_lines_t *self)
{
    self->at = self->start;
    self->number = 0;
    self->begin = self->end = 0;
}

/* Moves what is left to the front and reads behind it. *ret_got false: the end. */
static status_t fill(import_lines_t *self, bool *ret_got)
{
    ssize_t got;
    memmove(self->buffer, self->buffer + self->begin, self->end - self->begin);
    self->end -= self->begin;
    self->begin = 0;
    do
        got = pread(self->file, self->buffer + self->end, sizeof self->buffer - self->end,
                    self->at);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return complain(NULL, "cannot be read");
    self->end += (size_t) got;
    self->at += got;
    *ret_got = got > 0;
    return OK;
}

status_t import_lines_next(import_lines_t *self, char **ret_line, size_t *ret_length)
{
    char *start = self->buffer + self->begin;
    char *newline = (char *) memchr(start, '\n', self->end - self->begin);
    bool got = true;
    while (!newline && got) {
        size_t seen = self->end - self->begin;
        if (seen == sizeof self->buffer) {
            self->number++;
            return ERR_MALFORMED;
        }
        status_t status = fill(self, &got);
        if (status != OK)
            return status;
        start = self->buffer;
        newline = (char *) memchr(start + seen, '\n', self->end - seen);
    }
    size_t left = self->end - self->begin;
    *ret_length = newline ? (size_t) (newline - start) : left;
    *ret_line = newline || left > 0 ? start : NULL;
    self->begin += *ret_length + (newline != NULL);
    self->number += *ret_line != NULL;
    return OK;
}

uint64_t import_lines_number(const import_lines_t *self)
{
    return self->number;
}

uint64_t import_lines_read(const import_lines_t *self)
{
    return (uint64_t) (self->at - self->start) - (self->end - self->begin);
}

uint64_t import_lines_bytes(const import_lines_t *self)
{
    return self->bytes;
}
