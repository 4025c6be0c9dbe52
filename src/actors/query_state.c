/* SPDX-License-Identifier: MIT */
#include "actors/query_parts.h"
#include "common/clock.h"

/* Age of the first change after the position; 0 when there is none. Of one that the
 * log does not reach back to, its own age. */
static uint64_t lag_ms(query_worker_t *self, unsigned shard, const struct position *position)
{
    int64_t since = position->time;
    status_t status = journal_read(self->journal, shard, position, 1, 1, &self->entries);
    if (status == OK && self->entries.count > 0)
        since = self->entries.entry[0].time;
    else if (status != ERR_DIVERGED)
        return 0;
    int64_t age_us = clock_us() - since;
    return age_us > 1000 ? (uint64_t) age_us / 1000 : 1;
}

static void shard_state(query_worker_t *self, unsigned shard, struct state *state)
{
    struct journal_meta meta;
    struct position stored, counted, indexed;
    bool found, journal_ok, counting = false;
    journal_ok = query_journal_ready(self) == OK &&
                 journal_meta(self->journal, shard, &meta, &found) == OK && found;
    state->closed |= journal_ok && meta.mark != 0;
    journal_ok = journal_ok && meta.mark == 0;
    state->journal_ok &= journal_ok;

    bool store_ok =
        query_store_ready(self) == OK &&
        store_position(self->store, FOLLOWER_PERSISTENCE, shard, &stored, &found) == OK && found &&
        store_position(self->store, FOLLOWER_COUNTING, shard, &counted, &counting) == OK;
    state->store_ok &= store_ok;
    if (store_ok && journal_ok && meta.last_seq > stored.seq) {
        state->pending += meta.last_seq - stored.seq;
        uint64_t lag = lag_ms(self, shard, &stored);
        state->store_lag_ms = lag > state->store_lag_ms ? lag : state->store_lag_ms;
    }
    if (store_ok && journal_ok && counting && meta.last_seq > counted.seq) {
        uint64_t lag = lag_ms(self, shard, &counted);
        state->counts_lag_ms = lag > state->counts_lag_ms ? lag : state->counts_lag_ms;
    }

    status_t status = query_search_ready(self);
    state->search_none |= status == ERR_SEARCH_NONE;
    bool search_ok = status == OK && search_position(self->search, shard, &indexed, &found) == OK &&
                     found;
    state->search_ok &= search_ok || status == ERR_SEARCH_NONE;
    if (search_ok && journal_ok && meta.last_seq > indexed.seq) {
        uint64_t lag = lag_ms(self, shard, &indexed);
        state->search_lag_ms = lag > state->search_lag_ms ? lag : state->search_lag_ms;
    }
}

status_t query_state(query_worker_t *self)
{
    struct state state = {.journal_ok = true, .store_ok = true, .search_ok = true};
    for (unsigned shard = 0; shard < self->args->config->shards; shard++)
        shard_state(self, shard, &state);
    state_encode(&self->items, &state);
    return OK;
}
