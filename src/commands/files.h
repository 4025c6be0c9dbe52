/* SPDX-License-Identifier: MIT */
/* files.h - making files and folders last. */
#ifndef COMMANDS_FILES_H
#define COMMANDS_FILES_H

#include <stdbool.h>

/* Puts a file, or a folder's list of names, on the disk; false: errno says why. */
bool file_sync(const char *path);

/* The same for the folder that `path` is in. */
bool folder_sync_above(const char *path);

#endif
