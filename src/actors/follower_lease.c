/* SPDX-License-Identifier: MIT */
#include "actors/follower_lease.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/frame.h"
#include "common/log.h"
#include "storage/journal.h"
#include "storage/store.h"

typedef struct {
    zsock_t *pipe; /* borrowed from our zactor */
    const struct config *config;
    unsigned shards;
    store_t *store; /* NULL: not open */
    uint64_t owner; /* this life of ours */
    bool ordered;   /* there was an order */
    struct lease_order order;
    bool *barred, *owned;
    int64_t renew_us; /* when to renew next (monotonic) */
} keeper_t;

static bool keeper_wait(keeper_t *self);
static void keeper_renew(keeper_t *self);
static void keeper_end(keeper_t *self);

void follower_lease_actor(zsock_t *pipe, void *args)
{
    const struct config *config = ((const struct actor_args *) args)->config;
    keeper_t self = {.pipe = pipe, .config = config, .owner = journal_random()};
    self.shards = (unsigned) config->shards;
    self.barred = (bool *) calloc(self.shards, sizeof *self.barred);
    self.owned = (bool *) calloc(self.shards, sizeof *self.owned);
    assert(self.barred && self.owned);
    actor_ready(pipe, OK);

    while (keeper_wait(&self)) /* until it is time, or there is an order */
        keeper_renew(&self);
    keeper_end(&self);
}

/* Takes the orders that are there. False: one of them is to stop. */
static bool orders_take(keeper_t *self)
{
    void *socket = zsock_resolve(self->pipe);
    zmq_msg_t head, barred;
    while (frame_receive(socket, &head)) {
        bool stop = zmq_msg_size(&head) != sizeof self->order; /* $TERM */
        if (!stop) {
            memcpy(&self->order, zmq_msg_data(&head), sizeof self->order);
            bool received = frame_receive(socket, &barred);
            assert(received && zmq_msg_size(&barred) == self->shards);
            memcpy(self->barred, zmq_msg_data(&barred), self->shards);
            zmq_msg_close(&barred);
            self->ordered = true;
            self->renew_us = 0;
        }
        zmq_msg_close(&head);
        if (stop)
            return false;
    }
    return true;
}

static bool keeper_wait(keeper_t *self)
{
    zmq_pollitem_t item = {zsock_resolve(self->pipe), 0, ZMQ_POLLIN, 0};
    int64_t left_us = self->renew_us - clock_monotonic_us();
    long wait_ms = !self->ordered ? -1 : left_us > 0 ? (left_us + 999) / 1000 : 0;
    while (zmq_poll(&item, 1, wait_ms) < 0 && errno == EINTR)
        ;
    return orders_take(self);
}

static void keeper_renew(keeper_t *self)
{
    unsigned members = 0;
    status_t status = OK;
    if (!self->store)
        status = store_open(self->config->store, false, &self->store);
    if (status == OK)
        status = store_lease(self->store, self->order.follower, self->owner, self->shards,
                             self->barred, self->owned, &members);
    self->renew_us = clock_monotonic_us() + LEASE_US / 3;
    if (status != OK) {
        log_warning("lease_failed", "follower=%s status=%s reason=\"%s\" detail=\"%s\"",
                    self->order.follower, status_name(status), status_text(status),
                    store_errmsg(self->store));
        return;
    }
    void *socket = zsock_resolve(self->pipe);
    if (frame_send(socket, &members, sizeof members, ZMQ_SNDMORE))
        frame_send(socket, self->owned, self->shards, 0);
}

static void keeper_end(keeper_t *self)
{
    status_t status = self->store && self->ordered
                          ? store_lease_end(self->store, self->order.follower, self->owner)
                          : OK;
    if (status != OK) /* they end by themselves */
        log_warning("lease_failed", "follower=%s status=%s reason=\"%s\" detail=\"%s\"",
                    self->order.follower, status_name(status), status_text(status),
                    store_errmsg(self->store));
    store_close(&self->store);
    free(self->barred);
    free(self->owned);
}

/* ---- the follower's side ---- */

bool follower_lease_order(zactor_t *keeper, const char *follower, const bool barred[],
                          unsigned shards)
{
    struct lease_order order = {""};
    void *socket = zsock_resolve(keeper);
    snprintf(order.follower, sizeof order.follower, "%s", follower);
    return frame_send(socket, &order, sizeof order, ZMQ_SNDMORE) &&
           frame_send(socket, barred, shards, 0);
}

bool follower_lease_take(zactor_t *keeper, bool ret_owned[], unsigned shards, unsigned *ret_members)
{
    void *socket = zsock_resolve(keeper);
    zmq_msg_t members, owned;
    bool taken = false;
    while (frame_receive(socket, &members)) {
        bool received = frame_receive(socket, &owned);
        assert(received && zmq_msg_size(&owned) == shards);
        memcpy(ret_members, zmq_msg_data(&members), sizeof *ret_members);
        memcpy(ret_owned, zmq_msg_data(&owned), shards);
        zmq_msg_close(&members);
        zmq_msg_close(&owned);
        taken = true;
    }
    return taken;
}
