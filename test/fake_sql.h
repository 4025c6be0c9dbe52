/* SPDX-License-Identifier: MIT */
/* fake_sql.h - a database that fails when told to.
 *
 * After fake_sql_register(), "faulty:" before any URL opens the real database
 * behind a layer in which faults can be planted: "faulty:sqlite:PATH". So tests
 * of the store, of the journal and of actors can see what happens when a
 * statement fails or a commit's answer is lost.
 *
 * Any thread may plant and heal while others work.
 */
#ifndef FAKE_SQL_H
#define FAKE_SQL_H

#include "common/status.h"

enum fault {
    FAULT_OPEN,           /* does not open */
    FAULT_BEGIN,          /* a transaction does not begin */
    FAULT_STATEMENT,      /* sql_run and sql_insert fail before they do anything */
    FAULT_QUERY,          /* sql_query fails */
    FAULT_COMMIT,         /* rolled back instead of committed */
    FAULT_COMMIT_UNKNOWN, /* committed, but said to have failed */
    FAULT_COUNT
};

#define FAULT_ALWAYS (-1)

/* Before the first thread; again is harmless. */
void fake_sql_register(void);

/* After `delay` more calls of that kind go well, `times` of them fail with
 * ERR_UNAVAILABLE (FAULT_ALWAYS: until healed). Only databases whose URL
 * contains `where`; NULL: all that are opened as faulty. One plan for each kind:
 * a new one takes the place of the old. */
void fake_sql_fail(enum fault fault, const char *where, int delay, int times);

/* No more faults. */
void fake_sql_heal(void);

/* How many calls of that kind have failed since the process began. */
unsigned fake_sql_failures(enum fault fault);

#endif
