/* SPDX-License-Identifier: MIT */
#include "storage/persist.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CAPACITY_MIN = 2048, REASON_SIZE = 256 };

struct persist {
    store_t *store;
    persist_dead_fn *dead_told;
    void *context;
    struct record *records; /* of the entries at hand */
    bool *dead;             /* for each of them */
    struct record *tried;   /* those of a change that are not dead */
    size_t count, capacity, tried_capacity;
    char reason[REASON_SIZE]; /* why the first of the dead ones is */
};

persist_t *persist_new(store_t *store, persist_dead_fn *dead, void *context)
{
    persist_t *self = (persist_t *) calloc(1, sizeof *self);
    assert(self && store);
    self->store = store;
    self->dead_told = dead;
    self->context = context;
    return self;
}

void persist_destroy(persist_t **persist_p)
{
    persist_t *self = *persist_p;
    if (!self)
        return;
    free(self->records);
    free(self->dead);
    free(self->tried);
    free(self);
    *persist_p = NULL;
}

static void records_grow(persist_t *self)
{
    self->capacity = self->capacity ? 2 * self->capacity : CAPACITY_MIN;
    self->records = (struct record *) realloc(self->records,
                                              self->capacity * sizeof *self->records);
    self->dead = (bool *) realloc(self->dead, self->capacity * sizeof *self->dead);
    if (!self->records || !self->dead)
        abort();
}

static void tried_reserve(persist_t *self, size_t count)
{
    if (count <= self->tried_capacity)
        return;
    free(self->tried);
    self->tried = (struct record *) calloc(count, sizeof *self->tried);
    if (!self->tried)
        abort();
    self->tried_capacity = count;
}

static status_t records_collect(persist_t *self, const struct entries *entries)
{
    self->count = 0;
    for (size_t i = 0; i < entries->count; i++) {
        struct entry_walk walk;
        bool more = true;
        entry_walk_start(&walk, &entries->entry[i]);
        while (more) {
            if (self->count == self->capacity)
                records_grow(self);
            status_t status = entry_next(&walk, &self->records[self->count], &more);
            if (status != OK)
                return status;
            self->count += more;
        }
    }
    return OK;
}

/* The store refuses a record: marks the first such, tried after all good ones
 * before it. The first *good_p of those not dead are known to be good. */
static status_t bad_find(persist_t *self, const struct change *change, bool dead[], size_t *good_p)
{
    size_t alive = 0;
    for (size_t i = 0; i < change->count; i++)
        if (!dead[i])
            self->tried[alive++] = change->records[i];
    /* The first `good` can be applied, the first `bad` cannot. */
    size_t good = *good_p, bad = alive;
    while (good + 1 < bad) {
        size_t middle = good + (bad - good) / 2;
        status_t status = store_try(self->store, self->tried, middle);
        if (status != OK && status != ERR_DATA)
            return status;
        if (status == OK)
            good = middle;
        else
            bad = middle;
    }
    if (good == bad) /* it is not the records */
        return ERR_DATA;
    *good_p = good;
    size_t at = 0;
    for (size_t before = good; dead[at] || before > 0; at++)
        before -= !dead[at];
    dead[at] = true;
    /* What failed last is the shortest that fails, so the words are about this one. */
    const char *reason = store_errmsg(self->store);
    if (!self->reason[0])
        snprintf(self->reason, sizeof self->reason, "%s", reason);
    if (self->dead_told)
        self->dead_told(self->context, &change->records[at], reason);
    return OK;
}

status_t persist_change(persist_t *self, struct change *change, bool dead[])
{
    size_t good = 0;
    self->reason[0] = 0;
    change->dead = dead;
    if (!change->dead_reason)
        change->dead_reason = self->reason;
    status_t status = store_apply(self->store, change);
    if (status != ERR_DATA)
        return status;
    tried_reserve(self, change->count);
    change->dead_reason = self->reason;
    while (status == ERR_DATA) {
        status = bad_find(self, change, dead, &good);
        if (status != OK)
            return status;
        status = store_apply(self->store, change);
    }
    return status;
}

status_t persist_apply(persist_t *self, unsigned shard, const struct position *from,
                       const struct entries *entries, struct position *ret_position)
{
    assert(entries->count > 0);
    status_t status = records_collect(self, entries);
    if (status != OK)
        return status;
    struct change change = {
        .shard = shard,
        .from = *from,
        .to = entry_position(&entries->entry[entries->count - 1], from->run),
        .records = self->records,
        .count = self->count,
    };
    memset(self->dead, 0, self->count * sizeof *self->dead);
    status = persist_change(self, &change, self->dead);
    if (status == OK)
        *ret_position = change.to;
    return status;
}
