/* SPDX-License-Identifier: MIT */
#include "actors/query_front.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/metrics.h"

/* ---- look ---- */

static void ticket_ready(query_t *self, struct ticket *ticket)
{
    queue_put(request_is_heavy(&ticket->request) ? &self->heavy : &self->light,
              ticket->task.ticket);
}

static bool ticket_reached(const query_t *self, const struct ticket *ticket)
{
    for (unsigned i = 0; i < ticket->wait_count; i++) {
        const struct wait *wait = &ticket->waits[i];
        const struct position *position = &self->positions[wait->shard];
        if (wait->epoch != position->epoch || wait->seq > position->seq)
            return false;
    }
    return true;
}

static void ticket_wait(query_t *self, struct ticket *ticket)
{
    if (ticket_reached(self, ticket)) {
        ticket_ready(self, ticket);
        return;
    }
    queue_put(&self->parked, ticket->task.ticket);
    metrics_add(METRIC_READS_PARKED, 1);
}

/* What the journal says of one request: 404 at once, or what to wait for. */
static status_t look_judge(struct ticket *ticket, const struct look *look, unsigned shard)
{
    struct task *task = &ticket->task;
    const struct request *request = &ticket->request;
    if (look->application != EXISTS)
        return ERR_APPLICATION_NOT_FOUND;
    if (request_needs_chat(request) && look->chat_existence != EXISTS)
        return ERR_CHAT_NOT_FOUND;
    if (request->type == REQUEST_MESSAGE &&
        (request->number == 0 || request->number > look->last_message))
        return ERR_MESSAGE_NOT_FOUND;
    task->epoch = look->epoch;
    task->application_id = look->application_id;
    task->last_chat = look->last_chat;
    task->last_message = look->last_message;
    task->change = request_needs_chat(request) ? look->chat_change : look->application_change;
    ticket->waits[0] = (struct wait){shard, look->epoch, task->change};
    ticket->wait_count = 1;
    return OK;
}

static unsigned ticket_shard(const query_t *self, const struct ticket *ticket)
{
    return token_shard(ticket->request.token, ticket->request.token_length, self->shards);
}

static bool shard_paused(const query_t *self, unsigned shard)
{
    int64_t until_us = self->pauses[self->homes[shard]];
    return until_us != 0 && clock_monotonic_us() < until_us;
}

/* The shard's server failed, in a call that began at `start_us`. One that hangs holds up
 * all who ask, so that it is left alone for a while; one that refuses costs nothing. */
static void shard_pause(query_t *self, unsigned shard, int64_t start_us)
{
    int64_t now = clock_monotonic_us(), pause_us = 10 * (now - start_us);
    self->pauses[self->homes[shard]] = now + (pause_us < PAUSE_MS_MAX * 1000 ? pause_us
                                                                             : PAUSE_MS_MAX * 1000);
}

/* A list of all applications waits for the last change of each shard, and shows
 * those created up to the greatest of all times. */
static status_t applications_look(query_t *self, struct ticket *ticket)
{
    ticket->wait_count = 0;
    ticket->task.until = 0;
    for (unsigned shard = 0; shard < self->shards; shard++) {
        struct journal_meta meta;
        bool found = false;
        int64_t start_us = clock_monotonic_us();
        if (shard_paused(self, shard))
            return ERR_JOURNAL;
        status_t status = journal_meta(self->journal, shard, &meta, &found);
        if (status == ERR_JOURNAL)
            shard_pause(self, shard, start_us);
        if (status != OK || !found || meta.mark)
            return status != OK ? status : ERR_CLOSED;
        ticket->waits[ticket->wait_count++] = (struct wait){shard, meta.epoch,
                                                            meta.application_change};
        if (meta.last_time > ticket->task.until)
            ticket->task.until = meta.last_time;
        if (meta.clock > ticket->task.until)
            ticket->task.until = meta.clock;
    }
    return OK;
}

/* Reads go on from the store, which may be behind; nobody knows how far. */
static void journal_failed(query_t *self, struct ticket *ticket)
{
    ticket->task.journal_down = true;
    ticket->task.behind = BEHIND_UNKNOWN;
    ticket->task.until = INT64_MAX;
    ticket_ready(self, ticket);
}

/* `look` is NULL if nobody was asked. */
static void ticket_looked(query_t *self, struct ticket *ticket, const struct look *look)
{
    enum request_type type = ticket->request.type;
    ticket->task.journal_down = false;
    ticket->task.behind = BEHIND_NOT;
    ticket->task.behind_seconds = 0;
    if (type == REQUEST_STATE) {
        queue_put(&self->states, ticket->task.ticket);
        return;
    }
    status_t status = type == REQUEST_APPLICATIONS ? applications_look(self, ticket)
                      : look                       ? look->status
                                                   : ERR_JOURNAL;
    if (status != OK) {
        journal_failed(self, ticket);
        return;
    }
    if (type != REQUEST_APPLICATIONS)
        status = look_judge(ticket, look, ticket_shard(self, ticket));
    if (status == OK)
        ticket_wait(self, ticket);
    else
        ticket_fail(self, ticket, status);
}

static void looks_make(query_t *self, size_t count)
{
    int64_t start_us = clock_monotonic_us();
    status_t status = journal_look(self->journal, self->looks, count);
    if (status != OK)
        log_warning("look_failed",
                    "status=%s reason=\"%s; reads go on from the store\" detail=\"%s\"",
                    status_name(status), status_text(status), journal_errmsg(self->journal));
    else if (self->servers == 1)
        return;
    for (size_t i = 0; i < count; i++) {
        const struct look *look = &self->looks[i];
        unsigned shard = token_shard(look->token, look->token_length, self->shards);
        if (look->status == ERR_JOURNAL)
            shard_pause(self, shard, start_us);
        else
            journal_server_of(self->journal, shard, &self->homes[shard]);
    }
}

/* A look for each ticket that is about an application and whose server may be asked. */
void query_look(query_t *self)
{
    uint32_t batch[BATCH_MAX];
    bool looked[BATCH_MAX];
    size_t count = 0, look_count = 0;
    for (; self->incoming.count > 0 && count < BATCH_MAX; count++) {
        batch[count] = queue_take(&self->incoming);
        const struct ticket *ticket = &self->tickets[batch[count]];
        const struct request *request = &ticket->request;
        looked[count] = request->token_length > 0 &&
                        !shard_paused(self, ticket_shard(self, ticket));
        if (looked[count])
            self->looks[look_count++] = (struct look){.token = request->token,
                                                      .token_length = request->token_length,
                                                      .chat = request->chat,
                                                      .status = ERR_JOURNAL};
    }
    if (look_count > 0)
        looks_make(self, look_count);
    for (size_t i = 0, look = 0; i < count; i++)
        ticket_looked(self, &self->tickets[batch[i]], looked[i] ? &self->looks[look++] : NULL);
}

/* ---- unpark ---- */

static bool ticket_epoch_changed(const query_t *self, const struct ticket *ticket)
{
    for (unsigned i = 0; i < ticket->wait_count; i++) {
        uint64_t epoch = self->positions[ticket->waits[i].shard].epoch;
        if (epoch != 0 && epoch != ticket->waits[i].epoch)
            return true;
    }
    return false;
}

/* The second is over: an old state, if the request allows one. */
static void ticket_expire(query_t *self, struct ticket *ticket)
{
    int64_t oldest = INT64_MAX;
    if (!ticket->request.stale_allowed) {
        ticket_fail(self, ticket, ERR_STORE_BEHIND);
        return;
    }
    bool known = true;
    for (unsigned i = 0; i < ticket->wait_count; i++) {
        const struct position *position = &self->positions[ticket->waits[i].shard];
        known &= position->epoch != 0;
        if (position->time < oldest)
            oldest = position->time;
    }
    int64_t age = (clock_us() - oldest) / 1000000 + 1;
    ticket->task.behind = known ? BEHIND_SECONDS : BEHIND_UNKNOWN;
    if (known)
        ticket->task.behind_seconds = age < 1 ? 1 : age > UINT32_MAX ? UINT32_MAX : (uint32_t) age;
    ticket_ready(self, ticket);
}

void query_unpark(query_t *self)
{
    int64_t now = self->parked.count ? clock_monotonic_us() : 0;
    for (size_t left = self->parked.count; left > 0; left--) {
        struct ticket *ticket = &self->tickets[queue_take(&self->parked)];
        if (ticket_reached(self, ticket))
            ticket_ready(self, ticket);
        else if (now >= ticket->deadline_us)
            ticket_expire(self, ticket);
        else if (ticket_epoch_changed(self, ticket))
            queue_put(&self->incoming, ticket->task.ticket); /* looks again at the next turn */
        else
            queue_put(&self->parked, ticket->task.ticket);
    }
}
