/* SPDX-License-Identifier: MIT */
/* data_set.h - the journal, store and index that a command works on.
 *
 * Commands that only read work beside a running server. What those that write need
 * depends on the stack. Where the journal or the store is a file, one process may
 * write: they lock it, so that the server must be stopped. Where both are servers
 * (the full stack: "shared") any number of processes may work at the same time, and
 * compare-and-set keeps them apart.
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
    DATA_SET_MEND,  /* as WRITE, but what was lost is made anew, empty */
    DATA_SET_MAKE,  /* made if it is not there; locked */
};

typedef struct {
    struct config config; /* with the data set's own number of shards */
    uint64_t run;         /* drawn when the journal was locked */
    int lock;             /* file descriptor, or -1 */
    bool partly;          /* some of the journal's servers do not answer */
    journal_t *journal;
    store_t *store;
    search_t *search; /* NULL: `search = none` */
} data_set_t;

enum { PROBLEM_SIZE = 2048 };

/* Why a data set could not be opened, as a log line. */
struct data_set_problem {
    const char *event;
    char words[PROBLEM_SIZE]; /* key=value, with what to do */
    bool passing;             /* a server that is away: it may come back */
};

/* Whether many processes may write to it: neither journal nor store is a file. */
bool data_set_shared(const struct config *config);

/* Whether another process works on it: a server, or a command that has locked it.
 * Shared: whether any server has been following its log within LEASE_US. Asking
 * disturbs nobody. ERR_STORE: it could not be asked. */
MUST_CHECK status_t data_set_served(data_set_t *data_set, bool *ret_served);
/* The same of one shard. */
MUST_CHECK status_t data_set_shard_served(data_set_t *data_set, unsigned shard, bool *ret_served);

/* Opens all three; what went wrong is said on standard error, with what to do.
 * ERR_LOCKED, ERR_CONFIG, ERR_SCHEMA, ERR_JOURNAL, ERR_STORE, ERR_SEARCH. */
MUST_CHECK status_t data_set_open(const struct config *config, enum data_set_mode mode,
                                  data_set_t **ret_data_set);
/* The same, but says nothing: *ret_problem has it. */
MUST_CHECK status_t data_set_try(const struct config *config, enum data_set_mode mode,
                                 data_set_t **ret_data_set, struct data_set_problem *ret_problem);

/* Accepts NULL; leaves *data_set_p NULL. */
void data_set_close(data_set_t **data_set_p);

/* Whether journal and store tell one story. ERR_CLOSED: no, writes are refused
 * until a rebuild; said on standard error. Shards whose server does not answer are
 * passed over, if others do. */
MUST_CHECK status_t data_set_check(data_set_t *data_set);

#endif
