/* SPDX-License-Identifier: MIT */
/* import_lines.h - the lines of an import, readable twice.
 *
 * A file is read where it is; what can be read only once (a pipe) is first copied
 * into a file without a name in the data folder. Lines are bounded: nothing that
 * an export writes is longer. Messages for people go to standard error.
 *
 * One thread.
 */
#ifndef COMMANDS_IMPORT_LINES_H
#define COMMANDS_IMPORT_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/status.h"

/* Six bytes for each of a body, and room for the rest. */
enum { IMPORT_LINE_MAX = 1 << 20 };

typedef struct import_lines import_lines_t;

/* path NULL: standard input. ERR_CONFIG: it cannot be read, or not be copied. */
MUST_CHECK status_t import_lines_open(const char *path, const char *folder,
                                      import_lines_t **ret_lines);
/* Accepts NULL; leaves *lines_p NULL. */
void import_lines_close(import_lines_t **lines_p);

/* Begins at the first line, again. */
void import_lines_rewind(import_lines_t *lines);

/* The next line, without its end; the caller may write into it, and it lives until
 * the next call. *ret_line NULL: there is none. ERR_CONFIG: it cannot be read.
 * ERR_MALFORMED: it is longer than IMPORT_LINE_MAX. */
MUST_CHECK status_t import_lines_next(import_lines_t *lines, char **ret_line, size_t *ret_length);

/* How far it got, for the progress line. */
uint64_t import_lines_number(const import_lines_t *lines);
uint64_t import_lines_read(const import_lines_t *lines);
uint64_t import_lines_bytes(const import_lines_t *lines);

#endif
