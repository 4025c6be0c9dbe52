/* SPDX-License-Identifier: MIT */
/* fake_peer.h - stands in for an actor at its endpoint, for tests of who asks it.
 *
 * The test says what to do with each request: answer it, answer it after the
 * next one, or never. A thread of its own holds the ROUTER.
 */
#ifndef FAKE_PEER_H
#define FAKE_PEER_H

#include "common/message.h"

typedef struct fake_peer fake_peer_t;

enum fake_peer_action {
    FAKE_ANSWER,  /* at once */
    FAKE_KEEP,    /* not now: the answer goes out before that of the next request */
    FAKE_GARBAGE, /* something that does not decode, then the answer */
    FAKE_NEVER,
};

/* Fills the reply, whose id is set and whose strings are empty, and says what
 * to do with it. Runs in the peer's thread. What it points to must live on. */
typedef enum fake_peer_action fake_peer_script(const struct request *request, struct reply *reply,
                                               void *context);

/* Binds the endpoint. `queue`: how many requests may wait (a high-water mark);
 * without a script the peer never reads. */
fake_peer_t *fake_peer_open(const char *endpoint, int queue, fake_peer_script *script,
                            void *context);

/* Accepts NULL. */
void fake_peer_close(fake_peer_t **peer_p);

#endif
