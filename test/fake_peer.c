/* SPDX-License-Identifier: MIT */
#include "fake_peer.h"

#include <assert.h>
#include <czmq.h>
#include <pthread.h>
#include <stdatomic.h>

#include "common/buffer.h"

struct fake_peer {
    zsock_t *socket;
    fake_peer_script *script;
    void *context;
    pthread_t thread;
    atomic_bool stopping;
};

struct letter {
    zframe_t *to;
    struct buffer text;
};

static void letter_post(struct letter *letter, zsock_t *socket)
{
    if (!letter->to)
        return;
    zframe_send(&letter->to, socket, ZFRAME_MORE);
    zframe_t *text = zframe_new(letter->text.data, letter->text.length);
    zframe_send(&text, socket, 0);
}

static void peer_serve(fake_peer_t *self, struct letter *kept)
{
    zframe_t *from = zframe_recv(self->socket);
    if (!from)
        return;
    zframe_t *frame = zframe_recv(self->socket);
    struct request request;
    status_t status = request_decode(zframe_data(frame), zframe_size(frame), &request);
    assert(status == OK);
    struct reply reply = {.id = request.id, .token = "", .items = ""};
    enum fake_peer_action action = self->script(&request, &reply, self->context);

    struct letter letter = {.to = from};
    reply_encode(&letter.text, &reply);
    letter_post(kept, self->socket);
    if (action == FAKE_KEEP) {
        buffer_clear(&kept->text);
        buffer_append(&kept->text, letter.text.data, letter.text.length);
        kept->to = letter.to;
    } else if (action != FAKE_NEVER) {
        if (action == FAKE_GARBAGE) {
            zframe_send(&from, self->socket, ZFRAME_MORE | ZFRAME_REUSE);
            zstr_send(self->socket, "this is no reply");
        }
        letter_post(&letter, self->socket);
    } else {
        zframe_destroy(&letter.to);
    }
    buffer_free(&letter.text);
    zframe_destroy(&frame);
}

static void *peer_run(void *argument)
{
    fake_peer_t *self = argument;
    struct letter kept = {0};
    while (!atomic_load(&self->stopping))
        peer_serve(self, &kept);
    zframe_destroy(&kept.to);
    buffer_free(&kept.text);
    zsock_destroy(&self->socket);
    return NULL;
}

fake_peer_t *fake_peer_open(const char *endpoint, int queue, fake_peer_script *script,
                            void *context)
{
    fake_peer_t *self = zmalloc(sizeof *self);
    assert(self);
    self->script = script;
    self->context = context;
    self->socket = zsock_new(ZMQ_ROUTER);
    zsock_set_rcvhwm(self->socket, queue);
    zsock_set_sndhwm(self->socket, queue);
    zsock_set_rcvtimeo(self->socket, 10);
    /* The socket of the last test gives its name back in its own time. */
    int bound = -1;
    for (int i = 0; i < 1000 && bound < 0; i++)
        if ((bound = zsock_bind(self->socket, "%s", endpoint)) < 0)
            zclock_sleep(1);
    assert(bound >= 0);
    if (script) {
        int created = pthread_create(&self->thread, NULL, peer_run, self);
        assert(created == 0);
    }
    return self;
}

void fake_peer_close(fake_peer_t **peer_p)
{
    fake_peer_t *self = *peer_p;
    if (!self)
        return;
    atomic_store(&self->stopping, true);
    if (self->script)
        pthread_join(self->thread, NULL);
    else
        zsock_destroy(&self->socket);
    free(self);
    *peer_p = NULL;
}
