/* SPDX-License-Identifier: MIT */
#include "commands/catch_up.h"

#include <assert.h>
#include <stdlib.h>

#include "common/log.h"

enum {
    RECORDS_MAX = 8192, /* about, of one transaction */
    BYTES_MAX = 4 << 20,
    TRIES_MAX = 100, /* as often may others be faster */
};

static void dead_told(void *self_p, const struct record *record, const char *reason)
{
    catch_up_t *self = (catch_up_t *) self_p;
    self->dead++;
    log_error("record_dead",
              "seq=%llu type=%d application=%.*s chat=%llu number=%llu reason=\"%s\" "
              "do=\"confab dead list\"",
              (unsigned long long) record->seq, record->type,
              (int) (record->token_length < 8 ? record->token_length : 8), record->token,
              (unsigned long long) record->chat, (unsigned long long) record->number, reason);
}

catch_up_t *catch_up_new(data_set_t *data_set)
{
    catch_up_t *self = (catch_up_t *) calloc(1, sizeof *self);
    assert(self);
    self->data_set = data_set;
    self->persist = persist_new(data_set->store, dead_told, self);
    return self;
}

void catch_up_destroy(catch_up_t **catch_up_p)
{
    catch_up_t *self = *catch_up_p;
    if (!self)
        return;
    persist_destroy(&self->persist);
    entries_free(&self->entries);
    free(self);
    *catch_up_p = NULL;
}

/* ERR_CONFLICT: another process moved the position meanwhile, read it anew. */
static status_t step(catch_up_t *self, unsigned shard, struct position *ret_position)
{
    data_set_t *data_set = self->data_set;
    struct position from, again;
    bool found;
    status_t status = store_position(data_set->store, FOLLOWER_PERSISTENCE, shard, &from, &found);
    if (status == OK && !found)
        status = ERR_DIVERGED;
    if (status != OK)
        return status;
    status = journal_read(data_set->journal, shard, &from, RECORDS_MAX, BYTES_MAX, &self->entries);
    if (status == ERR_DIVERGED) { /* or was it read, and then trimmed? */
        status_t other = store_position(data_set->store, FOLLOWER_PERSISTENCE, shard, &again,
                                        &found);
        return other == OK && found && !position_equal(&from, &again) ? ERR_CONFLICT : status;
    }
    if (status != OK)
        return status;
    *ret_position = from;
    if (self->entries.count == 0)
        return OK;
    status = persist_apply(self->persist, shard, &from, &self->entries, ret_position);
    if (status == OK)
        self->records += ret_position->seq - from.seq;
    return status;
}

status_t catch_up_step(catch_up_t *self, unsigned shard, struct position *ret_position)
{
    status_t status = ERR_CONFLICT;
    for (int i = 0; status == ERR_CONFLICT && i < TRIES_MAX; i++)
        status = step(self, shard, ret_position);
    if (status != OK)
        log_error("catch_up", "shard=%u status=%s reason=\"%s\" journal=\"%s\" store=\"%s\"", shard,
                  status_name(status), status_text(status), journal_errmsg(self->data_set->journal),
                  store_errmsg(self->data_set->store));
    return status;
}

status_t catch_up_all(catch_up_t *self)
{
    status_t status = OK;
    for (unsigned shard = 0; status == OK && shard < self->data_set->config.shards; shard++) {
        struct position position;
        do
            status = catch_up_step(self, shard, &position);
        while (status == OK && self->entries.count > 0);
    }
    return status;
}
