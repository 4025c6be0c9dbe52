/* SPDX-License-Identifier: MIT */
/* numbering_fixture.h - the numbering actor with one application and its chat 1.
 *
 * Runs the real actor, over real sockets, on a journal in a real file.
 */
#ifndef NUMBERING_FIXTURE_H
#define NUMBERING_FIXTURE_H

#include "actors.h"

#define TOKEN "some-application"

/* What is in the log of shard 0. */
struct log {
    uint64_t entries, groups, records;
};

static inline struct log log_read(struct actors *f)
{
    struct entries entries = {0};
    struct log log = {0};
    assert_int_equal(journal_read_from(f->journal, 0, 1, SIZE_MAX, SIZE_MAX, &entries), OK);
    for (size_t i = 0; i < entries.count; i++) {
        struct entry_walk walk;
        struct record record;
        bool more = true;
        entry_walk_start(&walk, &entries.entry[i]);
        while (entry_next(&walk, &record, &more) == OK && more)
            log.groups += walk.left == 0;
        log.records += entries.entry[i].count;
        log.entries++;
    }
    entries_free(&entries);
    return log;
}

static inline int set_up(void **state)
{
    actors_set_up(state);
    struct actors *f = (struct actors *) *state;
    actor_run(f, NUMBERING);
    application_post(f, TOKEN);
    assert_int_equal(chat_post(f, TOKEN), 1);
    return 0;
}

static inline status_t post(struct actors *f, const char *body, uint64_t *ret_number)
{
    *ret_number = message_post(f, TOKEN, 1, body);
    return f->reply.status;
}

#endif
