/* SPDX-License-Identifier: MIT */
#include "actors.h"

#include <stdlib.h>
#include <string.h>

#include "actors/counting.h"
#include "actors/indexing.h"
#include "actors/numbering.h"
#include "actors/persistence.h"
#include "actors/query.h"
#include "storage/journal_adapter.h"
#include "storage/search_adapter.h"

enum { SHARDS = 3 };

static const char *const file_names[] = {"journal", "store", "search"};

/* ---- the process ---- */

/* The journal and the index of SQLite, behind URLs that begin with "faulty:". */
static struct journal_adapter journal_faulty;
static struct search_adapter search_faulty;

int actors_prepare(void **state)
{
    (void) state;
    zsys_handler_set(NULL);
    zsys_init();
    if (!getenv("CONFAB_TEST_LOG"))
        log_set_level((enum log_level)(LEVEL_ERROR + 1));
    fake_sql_register();
    journal_faulty = journal_sqlite;
    journal_faulty.scheme = "faulty";
    journal_adapter_register(&journal_faulty);
    search_faulty = search_sqlite;
    search_faulty.scheme = "faulty";
    search_adapter_register(&search_faulty);
    return 0;
}

int actors_finish(void **state)
{
    (void) state;
    zsys_shutdown();
    return 0;
}

/* ---- the data set ---- */

static void handles_open(struct actors *f)
{
    assert_int_equal(data_set_open(&f->config, DATA_SET_MAKE, &f->data_set), OK);
    status_t status = data_set_check(f->data_set);
    assert_true(status == OK || status == ERR_CLOSED);

    const struct journal_options options = {.url = text_of("sqlite:%s/journal.db", f->folder),
                                            .run = f->data_set->run};
    assert_int_equal(journal_open(&options, &f->journal), OK);
    assert_int_equal(store_open(text_of("sqlite:%s/store.db", f->folder), false, &f->store), OK);
    assert_int_equal(search_open(text_of("sqlite:%s/search.db", f->folder), false, &f->search), OK);
    for (size_t i = 0; i < FILE_COUNT; i++)
        assert_int_equal(
            sql_open(text_of("sqlite:%s/%s.db", f->folder, file_names[i]), SQL_RELAXED, &f->sql[i]),
            OK);
}

static void handles_close(struct actors *f)
{
    for (size_t i = 0; i < FILE_COUNT; i++)
        sql_close(&f->sql[i]);
    search_close(&f->search);
    store_close(&f->store);
    journal_close(&f->journal);
    data_set_close(&f->data_set);
}

static int set_up(void **state, unsigned shards)
{
    struct actors *f = (struct actors *) calloc(1, sizeof *f);
    assert_non_null(f);
    *state = f;
    f->folder = folder_make();
    zmq_msg_init(&f->answer);
    int argc = 1;
    char *argv[] = {(char *) "test", NULL}, *environment[] = {NULL};
    assert_int_equal(config_load(&argc, argv, environment, stderr, &f->config), OK);
    f->config.data = f->folder;
    f->config.journal = text_of("faulty:sqlite:%s/journal.db", f->folder);
    f->config.store = text_of("faulty:sqlite:%s/store.db", f->folder);
    f->config.search = text_of("faulty:sqlite:%s/search.db", f->folder);
    f->config.shards = shards;
    f->config.counts_flush = 50; /* sooner than anybody may configure it */
    handles_open(f);
    return 0;
}

int actors_set_up(void **state)
{
    return set_up(state, 1);
}

int actors_set_up_sharded(void **state)
{
    return set_up(state, SHARDS);
}

int actors_tear_down(void **state)
{
    struct actors *f = (struct actors *) *state;
    fake_sql_heal();
    file_unlock(f, JOURNAL_FILE);
    file_unlock(f, STORE_FILE);
    file_unlock(f, SEARCH_FILE);
    actors_stop(f);
    handles_close(f);
    zmq_msg_close(&f->answer);
    buffer_free(&f->frame);
    config_free(&f->config);
    folder_remove(&f->folder);
    free(f);
    return 0;
}

void actors_reopen(struct actors *f)
{
    uint64_t shards = f->config.shards;
    actors_stop(f);
    handles_close(f);
    f->config.shards = shards;
    handles_open(f);
}

/* ---- the actors ---- */

/* What an actor is given. It reads it until it ends, which ThreadSanitizer does not
 * see in libczmq: so it is never changed and never freed. */
struct life {
    struct life *before;
    struct config config;
    struct actor_args args;
};

static struct life *lives;

static const struct actor_args *life_begin(const struct actors *f)
{
    struct life *life = (struct life *) calloc(1, sizeof *life);
    assert_non_null(life);
    life->before = lives;
    life->config = f->config;
    life->args = (struct actor_args){&life->config, f->data_set->run};
    lives = life;
    return &life->args;
}

bool actor_try(struct actors *f, enum actor_kind kind, status_t *ret_status)
{
    static zactor_fn *const functions[] = {persistence_actor, counting_actor, indexing_actor,
                                           numbering_actor, query_actor};
    assert_null(f->actor[kind]);
    f->actor[kind] = actor_start(functions[kind], life_begin(f), ret_status);
    if (f->actor[kind] && kind >= NUMBERING) {
        f->asker[kind] = zsock_new(ZMQ_DEALER);
        assert_non_null(f->asker[kind]);
        zsock_set_sndhwm(f->asker[kind], 0); /* it stands for hundreds of askers */
        zsock_set_rcvhwm(f->asker[kind], 0);
        assert_int_equal(zsock_connect(f->asker[kind], "%s",
                                       kind == NUMBERING ? NUMBERING_ENDPOINT : QUERY_ENDPOINT),
                         0);
    }
    return f->actor[kind] != NULL;
}

void actor_run(struct actors *f, enum actor_kind kind)
{
    status_t status;
    bool running = actor_try(f, kind, &status);
    if (!running)
        fail_msg("actor %d did not start: %s", kind, status_name(status));
}

void actor_stop(struct actors *f, enum actor_kind kind)
{
    zactor_destroy(&f->actor[kind]);
    zsock_destroy(&f->asker[kind]);
}

void actors_run(struct actors *f)
{
    for (int kind = 0; kind < ACTOR_COUNT; kind++)
        actor_run(f, (enum actor_kind) kind);
}

void actors_stop(struct actors *f)
{
    for (int kind = ACTOR_COUNT; kind-- > NUMBERING;)
        actor_stop(f, (enum actor_kind) kind);
    for (int kind = 0; kind < NUMBERING; kind++)
        actor_stop(f, (enum actor_kind) kind);
}
