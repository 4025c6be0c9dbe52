/* SPDX-License-Identifier: MIT */
/* export_file.h - where an export goes: standard output, or a file that appears
 * under its name only when it is whole and on the disk (FILE.partial until then). A
 * device or a pipe is written to as it is.
 *
 * What is wrong is told on standard error. One thread.
 */
#ifndef COMMANDS_EXPORT_FILE_H
#define COMMANDS_EXPORT_FILE_H

#include <stdbool.h>
#include <stddef.h>

typedef struct export_file export_file_t;

/* path NULL: standard output. NULL: it cannot be written. */
export_file_t *export_file_open(const char *path);

/* What cannot be written is remembered for export_file_good() and the end. */
void export_file_write(export_file_t *file, const char *data, size_t length);
bool export_file_good(const export_file_t *file);

/* Accepts NULL, which is not good; leaves *file_p NULL. `keep`: the content is
 * whole. False: there is no such file, or standard output lacks something. */
bool export_file_close(export_file_t **file_p, bool keep);

#endif
