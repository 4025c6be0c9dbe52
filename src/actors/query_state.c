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

/* Who asks wants to know soon, and a part that is away may use up a time-out: it is not
 * asked about further shards, if it is one server. */
struct parts {
    bool store_away, search_away;
    bool journal_away; /* its only server is */
};

static bool journal_state(query_worker_t *self, unsigned shard, struct parts *parts,
                          struct state *state, struct journal_meta *ret_meta)
{
    bool found = false;
    status_t status = parts->journal_away ? ERR_JOURNAL : query_journal_ready(self);
    if (status == OK)
        status = journal_meta(self->journal, shard, ret_meta, &found);
    parts->journal_away |= status == ERR_JOURNAL && self->journal &&
                           journal_servers(self->journal) == 1;
    bool there = status == OK && found;
    state->closed |= there && ret_meta->mark != 0;
    there = there && ret_meta->mark == 0;
    state->journal_ok &= there;
    return there;
}

static bool store_state(query_worker_t *self, unsigned shard, struct parts *parts,
                        struct state *state, struct position *ret_stored,
                        struct position *ret_counted, bool *ret_counting)
{
    bool found = false;
    status_t status = parts->store_away ? ERR_STORE : query_store_ready(self);
    if (status == OK)
        status = store_position(self->store, FOLLOWER_PERSISTENCE, shard, ret_stored, &found);
    if (status == OK)
        status = store_position(self->store, FOLLOWER_COUNTING, shard, ret_counted, ret_counting);
    parts->store_away |= status != OK;
    state->store_ok &= status == OK && found;
    return status == OK && found;
}

static bool search_state(query_worker_t *self, unsigned shard, struct parts *parts,
                         struct state *state, struct position *ret_indexed)
{
    bool found = false;
    status_t status = parts->search_away ? ERR_SEARCH : query_search_ready(self);
    state->search_none |= status == ERR_SEARCH_NONE;
    if (status == ERR_SEARCH_NONE)
        return false;
    if (status == OK)
        status = search_position(self->search, shard, ret_indexed, &found);
    parts->search_away |= status != OK;
    state->search_ok &= status == OK && found;
    return status == OK && found;
}

static void lag_raise(query_worker_t *self, unsigned shard, const struct journal_meta *meta,
                      const struct position *position, uint64_t *lag)
{
    if (meta->last_seq <= position->seq)
        return;
    uint64_t age = lag_ms(self, shard, position);
    *lag = age > *lag ? age : *lag;
}

static void shard_state(query_worker_t *self, unsigned shard, struct parts *parts,
                        struct state *state)
{
    struct journal_meta meta = {0};
    struct position stored, counted, indexed;
    bool counting = false;
    bool journal_ok = journal_state(self, shard, parts, state, &meta);
    bool store_ok = store_state(self, shard, parts, state, &stored, &counted, &counting);
    bool search_ok = search_state(self, shard, parts, state, &indexed);
    if (store_ok && journal_ok && meta.last_seq > stored.seq)
        state->pending += meta.last_seq - stored.seq;
    if (store_ok && journal_ok)
        lag_raise(self, shard, &meta, &stored, &state->store_lag_ms);
    if (store_ok && journal_ok && counting)
        lag_raise(self, shard, &meta, &counted, &state->counts_lag_ms);
    if (search_ok && journal_ok)
        lag_raise(self, shard, &meta, &indexed, &state->search_lag_ms);
}

status_t query_state(query_worker_t *self)
{
    struct state state = {.journal_ok = true, .store_ok = true, .search_ok = true};
    struct parts parts = {0};
    for (unsigned shard = 0; shard < self->args->config->shards; shard++)
        shard_state(self, shard, &parts, &state);
    state_encode(&self->items, &state);
    return OK;
}
