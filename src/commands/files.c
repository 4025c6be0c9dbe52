/* SPDX-License-Identifier: MIT */
#include "commands/files.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool file_sync(const char *path)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return false;
    bool good = fsync(file) == 0;
    return close(file) == 0 && good;
}

bool folder_sync_above(const char *path)
{
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/')
        length--;
    while (length > 0 && path[length - 1] != '/')
        length--;
    char *above = length > 0 ? strndup(path, length) : strdup(".");
    if (!above)
        abort();
    bool good = file_sync(above);
    free(above);
    return good;
}
