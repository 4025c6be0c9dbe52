/* SPDX-License-Identifier: MIT */
/* records.h - a record of the log as one line for people. */
#ifndef COMMANDS_RECORDS_H
#define COMMANDS_RECORDS_H

#include <stdbool.h>
#include <stdio.h>

#include "common/record.h"

/* "message_created". */
const char *record_type_name(enum record_type type);

/* seq, time (of an import's record its own), type, the application's first 8
 * characters, what it is about and how long its text is; `texts`: the text itself
 * too, as a JSON string. No line end. */
void record_print(FILE *file, const struct record *record, bool texts);

#endif
