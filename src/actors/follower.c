/* SPDX-License-Identifier: MIT */
#include "actors/follower.h"

#include <assert.h>
#include <stdlib.h>

#include "actors/follower_lease.h"
#include "common/clock.h"
#include "common/frame.h"
#include "common/log.h"

enum {
    LOOK_MS = 100, /* between looks when nobody wakes us */
    RETRY_MS_MIN = 50,
    RETRY_MS_MAX = 2000,
    RETRY_TIMES = 5, /* as long as a failure took, the others are not held up again */
    HOLD_MS_MAX = 5000,
    FINISH_MS = 5000, /* when told to stop: to catch up with the log */
};

typedef struct {
    zsock_t *pipe;    /* borrowed from our zactor */
    zsock_t *wakeups; /* SUB: hints */
    const struct actor_args *args;
    journal_t *journal;
    const struct follower_role *role;
    void *self; /* the role's */
    bool open;  /* the role is */
    unsigned open_failures;
    int64_t open_us; /* when to open it again (monotonic) */
    struct follower_shard *shards;
    unsigned shard_count;
    struct entries entries;
    bool busy;       /* the last turn found something to do; at first: locate at once */
    bool finishing;  /* told to stop: no long work is begun */
    int64_t busy_us; /* when the last turn began that found something */
    int64_t step_us; /* when the shard at hand had its turn */

    zactor_t *keeper;     /* of leases; NULL: there is nobody to share with */
    unsigned members;     /* how many processes follow, as far as is known */
    bool *owned, *barred; /* by shard: what the keeper said, what it was told */
} follower_t;

static status_t follower_open(follower_t *follower, const struct actor_args *args);
static bool follower_wait(follower_t *follower);
static void follower_turn(follower_t *follower);
static void follower_finish(follower_t *follower);
static void follower_close(follower_t *follower);

void follower_run(zsock_t *pipe, const struct actor_args *args, const struct follower_role *role,
                  void *self)
{
    follower_t follower = {.pipe = pipe, .args = args, .role = role, .self = self, .busy = true};
    status_t status = follower_open(&follower, args);
    actor_ready(pipe, status);

    while (status == OK && follower_wait(&follower))
        follower_turn(&follower);
    if (status == OK)
        follower_finish(&follower);
    follower_close(&follower);
}

/* ---- open ---- */

/* When to try again what failed, in a call that began at `start_us`: the later the more
 * often it failed, and the longer it took to fail, since that held up all else. */
static int64_t retry_after(unsigned failures, int64_t start_us)
{
    int64_t now = clock_monotonic_us(), hold_us = RETRY_TIMES * (now - start_us);
    int64_t wait_us = (int64_t) (RETRY_MS_MIN << (failures < 6 ? failures : 6)) * 1000;
    if (wait_us > RETRY_MS_MAX * 1000)
        wait_us = RETRY_MS_MAX * 1000;
    if (hold_us > HOLD_MS_MAX * 1000)
        hold_us = HOLD_MS_MAX * 1000;
    return now + (hold_us > wait_us ? hold_us : wait_us);
}

/* What is merely away is no reason not to start. */
static status_t role_open(follower_t *follower)
{
    const struct follower_role *role = follower->role;
    int64_t start_us = clock_monotonic_us();
    status_t status = role->open(follower->self, follower->args, follower->journal, follower->pipe);
    follower->open = status == OK;
    if (status == OK)
        return OK;
    log_warning("follower_open", "follower=%s status=%s reason=\"%s\" detail=\"%s\"", role->name,
                status_name(status), status_text(status), role->errmsg(follower->self));
    role->close(follower->self);
    follower->open_us = retry_after(follower->open_failures++, start_us);
    return status == ERR_STORE || status == ERR_SEARCH || status == ERR_JOURNAL ? OK : status;
}

/* True if the role is open, maybe by now. */
static bool role_ready(follower_t *follower)
{
    if (!follower->open && !follower->finishing && clock_monotonic_us() >= follower->open_us)
        return role_open(follower) == OK && follower->open;
    return follower->open;
}

static status_t wakeups_open(follower_t *follower, const struct actor_args *args)
{
    const char *wakes_at = follower->role->wakes_at;
    bool several = args->servers > 1 && streq(wakes_at, WAKE_NUMBERING_ENDPOINT);
    follower->wakeups = zsock_new(ZMQ_SUB);
    if (!follower->wakeups)
        return ERR_OVERLOADED;
    /* Not CONFLATE: over inproc, connected before the other side is bound, it loses
     * the subscription. */
    zsock_set_subscribe(follower->wakeups, "");
    for (unsigned i = 0; i < (several ? args->servers : 1); i++) {
        const struct actor_args server = {.servers = several ? args->servers : 1, .server = i};
        char endpoint[ENDPOINT_SIZE];
        actor_endpoint(endpoint, wakes_at, &server);
        if (zsock_connect(follower->wakeups, "%s", endpoint) < 0)
            return ERR_CONFIG;
    }
    return OK;
}

/* With nobody to share with, all shards are ours. */
static status_t keeper_open(follower_t *follower, const struct actor_args *args)
{
    status_t status;
    if (!actor_shares(args->config))
        return OK;
    follower->keeper = actor_start(follower_lease_actor, args, &status);
    if (!follower->keeper)
        return status;
    for (unsigned i = 0; i < follower->shard_count; i++)
        follower->shards[i].state = FOLLOWER_STANDBY;
    return follower_lease_order(follower->keeper, follower->role->name, follower->barred,
                                follower->shard_count)
               ? OK
               : ERR_OVERLOADED;
}

static status_t follower_open(follower_t *follower, const struct actor_args *args)
{
    follower->shard_count = (unsigned) args->config->shards;
    follower->shards = (struct follower_shard *) calloc(follower->shard_count,
                                                        sizeof *follower->shards);
    follower->owned = (bool *) calloc(follower->shard_count, sizeof *follower->owned);
    follower->barred = (bool *) calloc(follower->shard_count, sizeof *follower->barred);
    assert(follower->shards && follower->owned && follower->barred);
    for (unsigned i = 0; i < follower->shard_count; i++)
        follower->shards[i].shard = i;

    const struct journal_options options = {.url = args->config->journal, .run = args->run};
    status_t status = journal_open(&options, &follower->journal);
    if (status == OK)
        status = role_open(follower);
    if (status == OK)
        status = wakeups_open(follower, args);
    return status == OK ? keeper_open(follower, args) : status;
}

/* ---- wait ---- */

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
    const struct follower_role *role = follower->role;
    bool others = follower->members > 1 && role->look_shared_ms > 0;
    zmq_pollitem_t items[] = {
        {zsock_resolve(follower->pipe), 0, ZMQ_POLLIN, 0},
        {zsock_resolve(follower->wakeups), 0, ZMQ_POLLIN, 0},
        {follower->keeper ? zsock_resolve(follower->keeper) : NULL, -1, ZMQ_POLLIN, 0},
    };
    int64_t paced_us = follower->busy_us + (int64_t) role->pace_ms * 1000;
    if (zmq_poll(items, 1, remaining_ms(paced_us)) > 0 && actor_stopped(follower->pipe))
        return false;
    if (follower->busy)
        return true;
    zmq_poll(items, follower->keeper ? 3 : 2, others ? (long) role->look_shared_ms : LOOK_MS);
    zmq_msg_t wake;
    while (frame_receive(items[1].socket, &wake)) /* one turn answers all of them */
        zmq_msg_close(&wake);
    return !(items[0].revents & ZMQ_POLLIN && actor_stopped(follower->pipe));
}

/* ---- states ---- */

/* The only place where a shard changes its state. */
static void shard_move(struct follower_shard *shard, enum follower_state to)
{
    static const bool allowed[FOLLOWER_STATES][FOLLOWER_STATES] = {
        [FOLLOWER_LOCATING] =
            {[FOLLOWER_FOLLOWING] = true, [FOLLOWER_WAITING] = true, [FOLLOWER_STANDBY] = true},
        [FOLLOWER_FOLLOWING] =
            {[FOLLOWER_LOCATING] = true, [FOLLOWER_WAITING] = true, [FOLLOWER_STANDBY] = true},
        [FOLLOWER_WAITING] = {[FOLLOWER_LOCATING] = true, [FOLLOWER_STANDBY] = true},
        [FOLLOWER_STANDBY] = {[FOLLOWER_LOCATING] = true},
    };
    assert(allowed[shard->state][to]);
    shard->state = to;
}

static bool status_bars(status_t status)
{
    return status == ERR_CLOSED || status == ERR_DIVERGED || status == ERR_CONFIG;
}

static void shard_failed(follower_t *follower, struct follower_shard *shard, status_t status)
{
    shard->retry_us = retry_after(shard->failures++, follower->step_us);
    shard->barred |= follower->role->bars && status_bars(status);
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
    shard->barred = false;
    shard_move(shard, FOLLOWER_FOLLOWING);
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

/* Finds out where it stands, if that is not known, and follows. */
static bool shard_advance(follower_t *follower, struct follower_shard *shard)
{
    if (shard->state != FOLLOWER_FOLLOWING && follower->finishing)
        return false;
    follower->step_us = clock_monotonic_us();
    if (shard->state == FOLLOWER_WAITING && follower->step_us >= shard->retry_us)
        shard_move(shard, FOLLOWER_LOCATING);
    if (shard->state == FOLLOWER_LOCATING)
        shard_locate(follower, shard);
    return shard->state == FOLLOWER_FOLLOWING && shard_follow(follower, shard);
}

static bool shard_tend(follower_t *follower, struct follower_shard *shard)
{
    bool more = false;
    if (shard->state != FOLLOWER_FOLLOWING)
        return false;
    follower->step_us = clock_monotonic_us();
    status_t status = follower->role->tend(follower->self, shard->shard, &shard->position, &more);
    if (status != OK)
        shard_trouble(follower, shard, status);
    else
        shard->failures = 0;
    return more;
}

static void follower_flush(follower_t *follower)
{
    follower->step_us = clock_monotonic_us();
    status_t status = follower->role->flush ? follower->role->flush(follower->self) : OK;
    for (unsigned i = 0; status != OK && i < follower->shard_count; i++)
        if (follower->shards[i].state == FOLLOWER_FOLLOWING)
            shard_trouble(follower, &follower->shards[i], status);
}

/* ---- leases ---- */

/* What the keeper said. A barred shard is nobody's: it is looked at until it is whole. */
static void leases_take(follower_t *follower)
{
    if (!follower->keeper || !follower_lease_take(follower->keeper, follower->owned,
                                                  follower->shard_count, &follower->members))
        return;
    for (unsigned i = 0; i < follower->shard_count; i++) {
        struct follower_shard *shard = &follower->shards[i];
        if (shard->barred || follower->owned[i] == (shard->state != FOLLOWER_STANDBY))
            continue;
        shard->failures = 0;
        shard_move(shard, follower->owned[i] ? FOLLOWER_LOCATING : FOLLOWER_STANDBY);
    }
}

/* Tells the keeper which shards must not be leased, when that has changed. */
static void leases_bar(follower_t *follower)
{
    bool changed = false;
    for (unsigned i = 0; i < follower->shard_count; i++) {
        changed |= follower->barred[i] != follower->shards[i].barred;
        follower->barred[i] = follower->shards[i].barred;
    }
    if (changed && follower->keeper &&
        !follower_lease_order(follower->keeper, follower->role->name, follower->barred,
                              follower->shard_count))
        follower->barred[0] = !follower->barred[0]; /* its queue is full: again next time */
}

/* ---- a turn ---- */

static void follower_turn(follower_t *follower)
{
    int64_t start_us = clock_monotonic_us();
    follower->busy = false;
    if (!follower->finishing)
        leases_take(follower);
    if (!role_ready(follower))
        return;
    for (unsigned i = 0; i < follower->shard_count; i++)
        follower->busy |= shard_advance(follower, &follower->shards[i]);
    if (follower->busy)
        follower_flush(follower);
    for (unsigned i = 0; i < follower->shard_count; i++)
        follower->busy |= shard_tend(follower, &follower->shards[i]);
    leases_bar(follower);
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
        follower->step_us = clock_monotonic_us();
        status_t status = follower->role->finish(follower->self, i, &shard->position);
        if (status != OK)
            shard_trouble(follower, shard, status);
    }
}

/* Also undoes a follower_open() that failed half way. */
static void follower_close(follower_t *follower)
{
    if (follower->open)
        follower->role->close(follower->self);
    zactor_destroy(&follower->keeper); /* a twin takes over at once */
    journal_close(&follower->journal);
    zsock_destroy(&follower->wakeups);
    entries_free(&follower->entries);
    free(follower->shards);
    free(follower->owned);
    free(follower->barred);
}
