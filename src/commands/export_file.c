/* SPDX-License-Identifier: MIT */
#include "commands/export_file.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "commands/files.h"

enum { BUFFER_BYTES = 1 << 20 };

struct export_file {
    FILE *stream;
    char *path;    /* NULL: standard output */
    char *partial; /* NULL: written in place */
};

/* The stream's; standard output keeps it to the end of the process. */
static char buffer[BUFFER_BYTES];

static void complain(const char *path)
{
    fprintf(stderr, "confab export: %s cannot be written: %s\n", path ? path : "standard output",
            strerror(errno));
}

/* A device or a pipe is written to; nothing ever takes its place. */
static bool in_place(const char *path)
{
    struct stat there;
    return stat(path, &there) == 0 && !S_ISREG(there.st_mode);
}

static FILE *stream_open(const char *path, int flags)
{
    int file = open(path, flags | O_WRONLY | O_CLOEXEC, 0640);
    return file < 0 ? NULL : fdopen(file, "w");
}

export_file_t *export_file_open(const char *path)
{
    export_file_t *self = (export_file_t *) calloc(1, sizeof *self);
    assert(self);
    if (path) {
        self->path = strdup(path);
        if (!self->path || (!in_place(path) && asprintf(&self->partial, "%s.partial", path) < 0))
            abort();
    }
    self->stream = !path           ? stdout
                   : self->partial ? stream_open(self->partial, O_CREAT | O_TRUNC)
                                   : stream_open(path, 0);
    if (!self->stream) {
        complain(self->path);
        export_file_close(&self, false);
        return NULL;
    }
    setvbuf(self->stream, buffer, _IOFBF, sizeof buffer);
    return self;
}

void export_file_write(export_file_t *self, const char *data, size_t length)
{
    if (!ferror(self->stream))
        fwrite(data, 1, length, self->stream);
}

bool export_file_good(const export_file_t *self)
{
    return !ferror(self->stream);
}

/* The name comes last, and only to what is on the disk. */
static bool file_publish(export_file_t *self)
{
    return fsync(fileno(self->stream)) == 0 && rename(self->partial, self->path) == 0 &&
           folder_sync_above(self->path);
}

bool export_file_close(export_file_t **file_p, bool keep)
{
    export_file_t *self = *file_p;
    if (!self)
        return false;
    bool good = self->stream && fflush(self->stream) == 0 && !ferror(self->stream);
    if (good && keep && self->partial)
        good = file_publish(self);
    if (self->stream && !good)
        complain(self->path);
    if (self->stream && self->path)
        fclose(self->stream);
    if (self->stream && self->partial && (!good || !keep))
        unlink(self->partial);
    free(self->partial);
    free(self->path);
    free(self);
    *file_p = NULL;
    return good;
}
