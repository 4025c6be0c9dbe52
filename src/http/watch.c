/* SPDX-License-Identifier: MIT */
#include "http/watch.h"

#include <assert.h>
#include <czmq.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include "common/clock.h"
#include "http/sockets.h"

enum {
    TICK_MS = 100,        /* usually */
    TICK_PRESSED_MS = 20, /* while all threads are held */
    PATIENCE_TICKS = 10,  /* so many times something waited: idle connections are cut */
    TICK_HURRIED_MS = 5,
};

/* Phase and moment in one word, so that they change together. */
enum { PHASE_BITS = 3, CUT_BIT = 1 << PHASE_BITS, MOMENT_SHIFT = PHASE_BITS + 1 };
_Static_assert(PHASE_COUNT <= 1 << PHASE_BITS, "phases fit into their bits");

struct watch_slot {
    _Alignas(64) _Atomic uint64_t word; /* moment (µs) << 4 | cut << 3 | phase */
    watch_t *watch;
    atomic_bool taken, queued;
    const struct mg_connection *connection; /* the worker writes it while the phase is FREE */
};

struct watch {
    struct watch_slot *slots;
    size_t slot_count;
    pthread_t thread;

    pthread_mutex_t cutting; /* held while a connection is being cut */
    pthread_mutex_t sleeping;
    pthread_cond_t wake;
    bool ending;         /* under `sleeping` */
    uint16_t hurried[2]; /* likewise */

    _Atomic uint32_t queue_port; /* 0: none */
    size_t queue_threads;
    _Atomic int64_t waiting; /* connections that wait for a thread, about */
    int waiting_ticks;       /* how often in a row there were some */
};

static int64_t limit_us(enum phase phase, bool pressed)
{
    switch (phase) {
    case PHASE_HEAD:
        return (pressed ? WATCH_HEAD_PRESSED_MS : WATCH_HEAD_MS) * INT64_C(1000);
    case PHASE_BODY:
        return WATCH_BODY_MS * INT64_C(1000);
    case PHASE_REPLY:
        return WATCH_REPLY_MS * INT64_C(1000);
    case PHASE_LINGER:
        return WATCH_LINGER_MS * INT64_C(1000);
    case PHASE_IDLE:
        return WATCH_IDLE_MS * INT64_C(1000);
    case PHASE_FREE:
    case PHASE_BUSY:
    case PHASE_COUNT:
        break;
    }
    return INT64_MAX;
}

static enum phase word_phase(uint64_t word)
{
    return (enum phase)(word & (CUT_BIT - 1));
}

static uint64_t word_make(enum phase phase, int64_t now_us)
{
    return (uint64_t) now_us << MOMENT_SHIFT | phase;
}

/* Marks the slot as cut, then shuts its socket down. If the worker goes on to
 * another phase meanwhile, watch_enter() waits for us: the file number cannot
 * become another connection's under our hands. */
static void slot_cut(watch_t *self, struct watch_slot *slot, uint64_t word)
{
    pthread_mutex_lock(&self->cutting);
    if (atomic_compare_exchange_strong(&slot->word, &word, word | CUT_BIT)) {
        int fd = sockets_find(mg_get_request_info(slot->connection));
        if (fd >= 0)
            shutdown(fd, word_phase(word) == PHASE_REPLY ? SHUT_RDWR : SHUT_RD);
    }
    pthread_mutex_unlock(&self->cutting);
}

/* Cuts what is over its limit; idle connections only as many as others wait. */
static void watch_look(watch_t *self)
{
    int64_t now = clock_monotonic_us();
    bool pressed = self->waiting_ticks > PATIENCE_TICKS;
    int64_t idle_cuts = pressed ? atomic_load(&self->waiting) : 0;
    for (size_t i = 0; i < self->slot_count; i++) {
        struct watch_slot *slot = &self->slots[i];
        uint64_t word = atomic_load(&slot->word);
        enum phase phase = word_phase(word);
        if (word & CUT_BIT || now - (int64_t) (word >> MOMENT_SHIFT) < limit_us(phase, pressed))
            continue;
        if (phase == PHASE_IDLE && idle_cuts-- <= 0)
            continue;
        slot_cut(self, slot, word);
    }
}

/* Nobody waits while a thread is free; otherwise the sockets must be counted.
 * Returns the time until the next look. */
static int watch_count(watch_t *self)
{
    uint16_t port = (uint16_t) atomic_load(&self->queue_port);
    int64_t held = 0, waiting = 0;
    for (size_t i = 0; i < self->slot_count; i++)
        held += atomic_load(&self->slots[i].queued) &&
                word_phase(atomic_load(&self->slots[i].word)) != PHASE_FREE;
    bool pressed = port && held >= (int64_t) self->queue_threads;
    if (pressed)
        waiting = (int64_t) sockets_count(port) - held;
    atomic_store(&self->waiting, waiting > 0 ? waiting : 0);
    self->waiting_ticks = waiting > 0 ? self->waiting_ticks + 1 : 0;
    return pressed ? TICK_PRESSED_MS : TICK_MS;
}

/* Sleeps until the next look. False when the end has come. */
static bool watch_sleep(watch_t *self, int tick_ms, uint16_t hurried[2])
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t nanoseconds = until.tv_nsec + tick_ms * INT64_C(1000000);
    until.tv_sec += nanoseconds / 1000000000;
    until.tv_nsec = nanoseconds % 1000000000;

    pthread_mutex_lock(&self->sleeping);
    if (!self->ending)
        pthread_cond_timedwait(&self->wake, &self->sleeping, &until);
    bool going_on = !self->ending;
    memcpy(hurried, self->hurried, sizeof self->hurried);
    pthread_mutex_unlock(&self->sleeping);
    return going_on;
}

static void *watch_run(void *argument)
{
    watch_t *self = argument;
    uint16_t hurried[2] = {0};
    int tick_ms = TICK_MS;
    while (watch_sleep(self, tick_ms, hurried)) {
        tick_ms = watch_count(self);
        watch_look(self);
        for (int i = 0; i < 2; i++)
            if (hurried[i]) {
                sockets_wake_all(hurried[i]);
                tick_ms = TICK_HURRIED_MS;
            }
    }
    return NULL;
}

status_t watch_open(size_t slots, watch_t **ret_watch)
{
    watch_t *self = zmalloc(sizeof *self);
    assert(self);
    self->slot_count = slots;
    self->slots = aligned_alloc(_Alignof(struct watch_slot), slots * sizeof *self->slots);
    assert(self->slots);
    memset(self->slots, 0, slots * sizeof *self->slots);
    for (size_t i = 0; i < slots; i++)
        self->slots[i].watch = self;

    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&self->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&self->sleeping, NULL);
    pthread_mutex_init(&self->cutting, NULL);
    if (pthread_create(&self->thread, NULL, watch_run, self) != 0) {
        self->ending = true;
        watch_close(&self);
        return ERR_OVERLOADED;
    }
    *ret_watch = self;
    return OK;
}

void watch_close(watch_t **watch_p)
{
    watch_t *self = *watch_p;
    if (!self)
        return;
    pthread_mutex_lock(&self->sleeping);
    bool running = !self->ending;
    self->ending = true;
    pthread_cond_signal(&self->wake);
    pthread_mutex_unlock(&self->sleeping);
    if (running)
        pthread_join(self->thread, NULL);
    pthread_cond_destroy(&self->wake);
    pthread_mutex_destroy(&self->sleeping);
    pthread_mutex_destroy(&self->cutting);
    free(self->slots);
    free(self);
    *watch_p = NULL;
}

void watch_queue(watch_t *self, uint16_t local_port, size_t threads)
{
    self->queue_threads = threads;
    atomic_store(&self->queue_port, local_port);
}

struct watch_slot *watch_join(watch_t *self, bool queued)
{
    for (size_t i = 0; i < self->slot_count; i++)
        if (!atomic_exchange(&self->slots[i].taken, true)) {
            atomic_store(&self->slots[i].queued, queued);
            return &self->slots[i];
        }
    return NULL;
}

void watch_leave(struct watch_slot *slot)
{
    watch_enter(slot, PHASE_FREE, 0);
    atomic_store(&slot->taken, false);
}

void watch_connect(struct watch_slot *slot, const struct mg_connection *connection)
{
    assert(word_phase(atomic_load(&slot->word)) == PHASE_FREE);
    slot->connection = connection;
    watch_enter(slot, PHASE_HEAD, clock_monotonic_us());
}

bool watch_enter(struct watch_slot *slot, enum phase phase, int64_t now_us)
{
    uint64_t before = atomic_exchange(&slot->word, word_make(phase, now_us));
    if (!(before & CUT_BIT))
        return false;
    pthread_mutex_lock(&slot->watch->cutting); /* until it is done */
    pthread_mutex_unlock(&slot->watch->cutting);
    return true;
}

enum phase watch_phase(const struct watch_slot *slot)
{
    return word_phase(atomic_load(&slot->word));
}

int64_t watch_elapsed_us(const struct watch_slot *slot)
{
    return clock_monotonic_us() - (int64_t) (atomic_load(&slot->word) >> MOMENT_SHIFT);
}

bool watch_yield(watch_t *self)
{
    return atomic_load_explicit(&self->waiting, memory_order_relaxed) > 0 &&
           atomic_fetch_sub(&self->waiting, 1) > 0;
}

size_t watch_in_flight(const watch_t *self)
{
    size_t count = 0;
    for (size_t i = 0; i < self->slot_count; i++) {
        enum phase phase = word_phase(atomic_load(&self->slots[i].word));
        count += phase >= PHASE_BUSY;
    }
    return count;
}

void watch_hurry(watch_t *self, uint16_t local_port, uint16_t other_port)
{
    pthread_mutex_lock(&self->sleeping);
    self->hurried[0] = local_port;
    self->hurried[1] = other_port;
    pthread_cond_signal(&self->wake);
    pthread_mutex_unlock(&self->sleeping);
}
