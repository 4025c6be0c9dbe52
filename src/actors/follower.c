/* SPDX-License-Identifier: MIT */
#include "actors/follower.h"

#include <assert.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/frame.h"
#include "common/log.h"

enum {
    LOOK_MS = 100, /* between looks when nobody wakes us */
    RETRY_MS_MIN = 50,
    RETRY_MS_MAX = 2000,
    FINISH_MS = 5000, /* when told to stop: to catch up with the log */
};

typedef struct {
    zsock_t *pipe;    /* borrowed from our zactor */
    zsock_t *wakeups; /* SUB: hints */
    journal_t *journal;
    const struct follower_role *role;
    void *self; /* the role's */
    struct follower_shard *shards;
    unsigned shard_count;
    struct entries entries;
    bool busy;       /* the last turn found something to do; at first: locate at once */
    bool finishing;  /* told to stop: no long work is begun */
    int64_t busy_us; /* when the last turn began that found something */
} follower_t;

static status_t follower_open(follower_t *follower, const struct actor_args *args);
static bool follower_wait(follower_t *follower);
static void follower_turn(follower_t *follower);
static void follower_finish(follower_t *follower);
static void follower_close(follower_t *follower);

void follower_run(zsock_t *pipe, const struct actor_args *args, const struct follower_role *role,
                  void *self)
{
    follower_t follower = {.pipe = pipe, .role = role, .self = self, .busy = true};
    status_t status = follower_open(&follower, args);
    actor_ready(pipe, status);

    while (status == OK && follower_wait(&follower))
        follower_turn(&follower);
    if (status == OK)
        follower_finish(&follower);
    follower_close(&follower);
}

static status_t follower_open(follower_t *follower, const struct actor_args *args)
{
    follower->shard_count = (unsigned) args->config->shards;
    follower->shards = (struct follower_shard *) calloc(follower->shard_count,
                                                        sizeof *follower->shards);
    assert(follower->shards);
    for (unsigned i = 0; i < follower->shard_count; i++)
        follower->shards[i].shard = i;

    const struct journal_options options = {.url = args->config->journal, .run = args->run};
    status_t status = journal_open(&options, &follower->journal);
    if (status == OK)
        status = follower->role->open(follower->self, args, follower->journal, follower->pipe);
    if (status != OK)
        return status;

    follower->wakeups = zsock_new(ZMQ_SUB);
    if (!follower->wakeups)
        return ERR_OVERLOADED;
    /* Not CONFLATE: over inproc, connected before the other side is bound, it loses
     * the subscription. */
    zsock_set_subscribe(follower->wakeups, "");
    return zsock_connect(follower->wakeups, "%s", follower->role->wakes_at) < 0 ? ERR_CONFIG : OK;
}

static int remaining_ms(int64_t until_us)
{
    int64_t left = until_us - clock_monotonic_us();
    return left > 0 ? (int) ((left + 999) / 1000) : 0;
}

/* Sleeps until there is likely to be work: after a busy turn for what is left of
 * the pace, without listening to wake-ups, so that a stream of appends costs one
 * look each pace; then until a wake-up, at most LOOK_MS. False when told to stop. */
static bool follower_wait(follower_t *follower)
{
    zmq_pollitem_t items[] = {
        {zsock_resolve(follower->pipe), 0, ZMQ_POLLIN, 0},
        {zsock_resolve(follower->wakeups), 0, ZMQ_POLLIN, 0},
    };
    int64_t paced_us = follower->busy_us + (int64_t) follower->role->pace_ms * 1000;
    if (zmq_poll(items, 1, remaining_ms(paced_us)) > 0 && actor_stopped(follower->pipe))
        return false;
    if (follower->busy)
        return true;
    zmq_poll(items, 2, LOOK_MS);
    zmq_msg_t wake;
    while (frame_receive(items[1].socket, &wake)) /* one turn answers all of them */
        zmq_msg_close(&wake);
    return !(items[0].revents & ZMQ_POLLIN && actor_stopped(follower->pipe));
}

/* The only place where a shard changes its state. */
static void shard_move(struct follower_shard *shard, enum follower_state to)
{
    static const bool allowed[3][3] = {
        [FOLLOWER_LOCATING] = {[FOLLOWER_FOLLOWING] = true, [FOLLOWER_WAITING] = true},
        [FOLLOWER_FOLLOWING] = {[FOLLOWER_LOCATING] = true, [FOLLOWER_WAITING] = true},
        [FOLLOWER_WAITING] = {[FOLLOWER_LOCATING] = true},
    };
    assert(allowed[shard->state][to]);
    shard->state = to;
}

static void shard_failed(follower_t *follower, struct follower_shard *shard, status_t status)
{
    unsigned wait_ms = RETRY_MS_MIN << (shard->failures < 6 ? shard->failures : 6);
    if (wait_ms > RETRY_MS_MAX)
        wait_ms = RETRY_MS_MAX;
    shard->failures++;
    shard->retry_us = clock_monotonic_us() + (int64_t) wait_ms * 1000;
    shard_move(shard, FOLLOWER_WAITING);
    if (status == ERR_STOPPED)
        return;
    log_warning("follower_failed",
                "follower=%s shard=%u status=%s reason=\"%s\" detail=\"%s\" journal=\"%s\"",
                follower->role->name, shard->shard, status_name(status), status_text(status),
                follower->role->errmsg(follower->self), journal_errmsg(follower->journal));
}

/* A twin that moved the position is no failure. */
static void shard_trouble(follower_t *follower, struct follower_shard *shard, status_t status)
{
    if (status == ERR_CONFLICT)
        shard_move(shard, FOLLOWER_LOCATING);
    else
        shard_failed(follower, shard, status);
}

static void shard_locate(follower_t *follower, struct follower_shard *shard)
{
    struct position position;
    status_t status = follower->role->locate(follower->self, shard->shard, &position);
    if (status != OK) {
        shard_failed(follower, shard, status);
        return;
    }
    shard->position = position;
    shard_move(shard, FOLLOWER_FOLLOWING);
}

status_t follower_cut(store_t *store, unsigned shard, struct entries *entries)
{
    struct position stored;
    bool found;
    status_t status = store_position(store, FOLLOWER_PERSISTENCE, shard, &stored, &found);
    if (status != OK)
        return status;
    while (entries->count > 0) {
        const struct entry *last = &entries->entry[entries->count - 1];
        if (found && last->epoch == stored.epoch && entry_last_seq(last) <= stored.seq)
            break;
        entries->count--;
    }
    return OK;
}

status_t follower_rejoins(journal_t *journal, store_t *store, unsigned shard,
                          const struct position *position)
{
    struct position stored;
    bool found, holds = false;
    status_t status = store_position(store, FOLLOWER_PERSISTENCE, shard, &stored, &found);
    if (status == OK && found && !position_equal(position, &stored))
        status = journal_holds(journal, shard, &stored, &holds);
    return status == OK && !holds ? ERR_DIVERGED : status;
}

/* Reads and applies one batch. True if there was something. */
static bool shard_follow(follower_t *follower, struct follower_shard *shard)
{
    const struct follower_role *role = follower->role;
    struct position *position = &shard->position;
    status_t status = journal_read(follower->journal, shard->shard, position, role->records_max,
                                   role->bytes_max, &follower->entries);
    if (status == OK && follower->entries.count == 0)
        return false;
    uint64_t before = position->seq;
    if (status == OK)
        status = role->apply(follower->self, shard->shard, position, &follower->entries, position);
    if (status == OK)
        return position->seq > before;
    if (status == ERR_DIVERGED && !follower->finishing)
        status = role->cut_off(follower->self, shard->shard, position);
    if (status == OK)
        shard_move(shard, FOLLOWER_LOCATING);
    else
        shard_trouble(follower, shard, status);
    return status == OK;
}

static bool shard_turn(follower_t *follower, struct follower_shard *shard)
{
    bool busy = false;
    if (shard->state != FOLLOWER_FOLLOWING && follower->finishing)
        return false;
    if (shard->state == FOLLOWER_WAITING && clock_monotonic_us() >= shard->retry_us)
        shard_move(shard, FOLLOWER_LOCATING);
    if (shard->state == FOLLOWER_LOCATING)
        shard_locate(follower, shard);
    if (shard->state == FOLLOWER_FOLLOWING)
        busy = shard_follow(follower, shard);
    if (shard->state == FOLLOWER_FOLLOWING) {
        bool more = false;
        status_t status = follower->role->tend(follower->self, shard->shard, &shard->position,
                                               &more);
        if (status != OK)
            shard_trouble(follower, shard, status);
        else
            shard->failures = 0;
        busy |= more;
    }
    return busy;
}

static void follower_turn(follower_t *follower)
{
    int64_t start_us = clock_monotonic_us();
    follower->busy = false;
    for (unsigned i = 0; i < follower->shard_count; i++)
        follower->busy |= shard_turn(follower, &follower->shards[i]);
    if (follower->busy)
        follower->busy_us = start_us;
}

/* The next start is the quicker the less is left. */
static void follower_finish(follower_t *follower)
{
    int64_t until_us = clock_monotonic_us() + FINISH_MS * 1000;
    follower->finishing = true;
    do
        follower_turn(follower);
    while (follower->busy && clock_monotonic_us() < until_us);
    for (unsigned i = 0; i < follower->shard_count; i++) {
        struct follower_shard *shard = &follower->shards[i];
        if (shard->state != FOLLOWER_FOLLOWING)
            continue;
        status_t status = follower->role->finish(follower->self, i, &shard->position);
        if (status != OK)
            shard_trouble(follower, shard, status);
    }
}

/* Also undoes a follower_open() that failed half way. */
static void follower_close(follower_t *follower)
{
    follower->role->close(follower->self);
    journal_close(&follower->journal);
    zsock_destroy(&follower->wakeups);
    entries_free(&follower->entries);
    free(follower->shards);
}
