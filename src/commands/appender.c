/* SPDX-License-Identifier: MIT */
#include "commands/appender.h"

#include <assert.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "storage/history.h"

enum {
    ATTEMPTS = 5,           /* of an append whose outcome is unknown, at least */
    PATIENCE_US = 30000000, /* with a server */
    PAUSE_US = 100000,
};

struct appender {
    data_set_t *data_set;
    uint64_t producer;
    struct appended {
        uint64_t epoch; /* 0: not asked for yet */
        uint64_t sequence;
    } shards[SHARDS_MAX];
    struct history_reason reason; /* why a check failed */
};

appender_t *appender_new(data_set_t *data_set)
{
    appender_t *self = (appender_t *) calloc(1, sizeof *self);
    assert(self);
    self->data_set = data_set;
    self->producer = journal_random();
    return self;
}

void appender_destroy(appender_t **appender_p)
{
    free(*appender_p);
    *appender_p = NULL;
}

/* ---- what may end by waiting ---- */

static bool may_pass(status_t status)
{
    return status == ERR_OUTCOME_UNKNOWN || status == ERR_UNCHECKED || status == ERR_JOURNAL ||
           status == ERR_STORE || status == ERR_BACKLOG_FULL;
}

/* Checks a new run; else waits. Returns OK to try again. */
static status_t obstacle_pass(appender_t *self, unsigned shard, status_t status, int64_t until_us)
{
    data_set_t *data_set = self->data_set;
    if (status == ERR_UNCHECKED)
        status = history_check(data_set->journal, data_set->store, shard, NULL, &self->reason);
    if (status == OK || !may_pass(status) || clock_monotonic_us() >= until_us)
        return status;
    usleep(PAUSE_US);
    return OK;
}

static int64_t patience_end(const appender_t *self)
{
    return clock_monotonic_us() + (data_set_shared(&self->data_set->config) ? PATIENCE_US : 0);
}

/* ---- append ---- */

static status_t epoch_read(appender_t *self, unsigned shard)
{
    struct journal_meta meta = {0};
    bool found = false;
    status_t status = journal_meta(self->data_set->journal, shard, &meta, &found);
    if (status == OK && !found)
        status = ERR_CONFIG;
    if (status == OK)
        self->shards[shard].epoch = meta.epoch;
    return status;
}

/* After an unknown outcome only OK settles the batch, whatever else is heard. */
static status_t batch_settle(appender_t *self, struct batch *batch)
{
    int64_t until_us = patience_end(self);
    bool unknown = false;
    for (int attempt = 1;; attempt++) {
        status_t status = journal_append(self->data_set->journal, batch, 1);
        if (status == OK)
            return OK;
        unknown = unknown || status == ERR_OUTCOME_UNKNOWN;
        if (status == ERR_OUTCOME_UNKNOWN && attempt < ATTEMPTS)
            continue;
        status = obstacle_pass(self, batch->shard, status, until_us);
        if (status != OK)
            return unknown ? ERR_OUTCOME_UNKNOWN : status;
    }
}

status_t appender_append(appender_t *self, unsigned shard, struct record_group groups[],
                         size_t count)
{
    struct appended *appended = &self->shards[shard];
    self->reason.text[0] = 0;
    status_t status = appended->epoch ? OK : epoch_read(self, shard);
    if (status == OK) {
        struct batch batch = {
            .shard = shard,
            .epoch = appended->epoch,
            .producer = self->producer,
            .sequence = ++appended->sequence,
            .groups = groups,
            .count = count,
        };
        status = batch_settle(self, &batch);
    }
    if (status != OK)
        log_error(
            "append", "shard=%u status=%s reason=\"%s\" detail=\"%s\"%s", shard,
            status_name(status), *self->reason.text ? self->reason.text : status_text(status),
            journal_errmsg(self->data_set->journal),
            status == ERR_BACKLOG_FULL
                ? " do=\"is a server running that takes in the log? or raise backlog_records\""
                : "");
    return status;
}

/* ---- look ---- */

status_t appender_look(appender_t *self, struct look *look)
{
    int64_t until_us = patience_end(self);
    unsigned shard = token_shard(look->token, look->token_length,
                                 (unsigned) self->data_set->config.shards);
    self->reason.text[0] = 0;
    for (;;) {
        status_t status = journal_look(self->data_set->journal, look, 1);
        if (status == OK)
            return OK;
        status = obstacle_pass(self, shard, status, until_us);
        if (status == OK)
            continue;
        log_error("journal_look", "shard=%u status=%s reason=\"%s\" detail=\"%s\"", shard,
                  status_name(status), *self->reason.text ? self->reason.text : status_text(status),
                  journal_errmsg(self->data_set->journal));
        return status;
    }
}
