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
    struct record *records; /* of the batch at hand */
    bool *dead;
    size_t count, capacity;
    char reason[REASON_SIZE]; /* why the first of the dead ones is */
};

persist_t *persist_new(store_t *store, persist_dead_fn *dead, void *context)
{
    persist_t *self = (persist_t *) calloc(1, sizeof *self);
    assert(self && store && dead);
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

/* Finds the bad records in [from, to), which is known to hold one. */
static status_t records_bisect(persist_t *self, size_t from, size_t to)
{
    if (to - from == 1) {
        self->dead[from] = true;
        if (!self->reason[0])
            snprintf(self->reason, sizeof self->reason, "%s", store_errmsg(self->store));
        self->dead_told(self->context, &self->records[from], store_errmsg(self->store));
        return OK;
    }
    size_t middle = from + (to - from) / 2;
    const size_t halves[][2] = {{from, middle}, {middle, to}};
    for (size_t i = 0; i < 2; i++) {
        size_t start = halves[i][0], end = halves[i][1];
        status_t status = store_try(self->store, self->records + start, end - start);
        if (status == ERR_DATA)
            status = records_bisect(self, start, end);
        if (status != OK)
            return status;
    }
    return OK;
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
    status = store_apply(self->store, &change);
    if (status == ERR_DATA) {
        memset(self->dead, 0, self->count * sizeof *self->dead);
        self->reason[0] = 0;
        status = records_bisect(self, 0, self->count);
        change.dead = self->dead;
        change.dead_reason = self->reason;
        if (status == OK)
            status = store_apply(self->store, &change);
    }
    if (status == OK)
        *ret_position = change.to;
    return status;
}
