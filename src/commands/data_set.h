/* SPDX-License-Identifier: MIT */
/* data_set.h - the journal, store and index that a command works on.
 *
 * Commands that only read work beside a running server. Those that write lock
 * an embedded journal, so that they need the server stopped.
 */
#ifndef COMMANDS_DATA_SET_H
#define COMMANDS_DATA_SET_H

#include "common/config.h"
#include "storage/journal.h"
#include "storage/search.h"
#include "storage/store.h"

enum data_set_mode {
    DATA_SET_READ,  /* must be there; nothing is written */
    DATA_SET_WRITE, /* must be there; locked */
    DATA_SET_MEND,  /* as WRITE, but a file that was lost is made anew, empty */
    DATA_SET_MAKE,  /* made if it is not there; locked */
};

typedef struct {
    struct config config; /* with the data set's own number of shards */
    uint64_t run;         /* drawn when the journal was locked */
    int lock;             /* file descriptor, or -1 */
    journal_t *journal;
    store_t *store;
    search_t *search; /* NULL: `search = none` */
} data_set_t;

/* Whether another process has locked the journal: a server, or a command that
 * writes. Asking disturbs nobody. A journal that many may write to may always be
 * in use. */
bool data_set_in_use(const struct config *config);

/* Opens all three; what went wrong is said on standard error, with what to do.
 * ERR_LOCKED, ERR_CONFIG, ERR_SCHEMA, ERR_JOURNAL, ERR_STORE, ERR_SEARCH. */
MUST_CHECK status_t data_set_open(const struct config *config, enum data_set_mode mode,
                                  data_set_t **ret_data_set);

/* Accepts NULL; leaves *data_set_p NULL. */
void data_set_close(data_set_t **data_set_p);

/* Whether journal and store tell one story. ERR_CLOSED: no, writes are refused
 * until a rebuild; said on standard error. */
MUST_CHECK status_t data_set_check(data_set_t *data_set);

#endif
