/* SPDX-License-Identifier: MIT */
#include "actors.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "actors/counting.h"
#include "actors/indexing.h"
#include "actors/numbering.h"
#include "actors/persistence.h"
#include "actors/query.h"
#include "actors/spread.h"
#include "storage/journal_adapter.h"
#include "storage/search_adapter.h"

enum { SHARDS = 3 };

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

/* The same without faults. */
static const char *good_url(const char *url)
{
    return strncmp(url, "faulty:", 7) ? url : url + 7;
}

static void handles_open(struct actors *f)
{
    const char *const urls[] = {good_url(f->config.journal), good_url(f->config.store),
                                good_url(f->config.search)};
    assert_int_equal(data_set_open(&f->config, DATA_SET_MAKE, &f->data_set), OK);
    status_t status = data_set_check(f->data_set);
    assert_true(status == OK || status == ERR_CLOSED);

    const struct journal_options options = {.url = urls[JOURNAL_FILE], .run = f->data_set->run};
    assert_int_equal(journal_open(&options, &f->journal), OK);
    assert_int_equal(store_open(urls[STORE_FILE], false, &f->store), OK);
    assert_int_equal(search_open(urls[SEARCH_FILE], false, &f->search), OK);
    for (size_t i = 0; i < FILE_COUNT; i++)
        if (strncmp(urls[i], "redis:", 6))
            assert_int_equal(sql_open(urls[i], SQL_RELAXED, &f->sql[i]), OK);
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

/* ---- servers ---- */

static void database_do(const char *words, const char *name)
{
    sql_t *sql;
    assert_int_equal(sql_open(getenv("CONFAB_TEST_MARIADB"), SQL_DURABLE, &sql), OK);
    if (sql_script(sql, text_of("%s %s", words, name)) != OK)
        fail_msg("%s %s: %s", words, name, sql_errmsg(sql));
    sql_close(&sql);
}

static void servers_start(struct actors *f, unsigned journals, bool database)
{
    static int count;
    const char *urls = "";
    for (unsigned i = 0; i < journals; i++) {
        f->redis[i] = redis_server_start(NULL);
        urls = text_of("%s%s%s", urls, i ? "," : "", redis_server_url(f->redis[i]));
    }
    if (journals)
        f->config.journal = urls;
    if (!database)
        return;
    f->database = text_of("confab_test_actors_%d_%d", (int) getpid(), ++count);
    database_do("CREATE DATABASE", f->database);
    f->config.store = text_of("%s/%s", getenv("CONFAB_TEST_MARIADB"), f->database);
}

static void servers_stop(struct actors *f)
{
    for (size_t i = 0; i < JOURNALS_MAX; i++)
        redis_server_stop(&f->redis[i]);
    if (f->database)
        database_do("DROP DATABASE", f->database);
}

bool actors_can_share(int *ret_failures)
{
    const char *url = getenv("CONFAB_TEST_MARIADB"), *required = getenv("CONFAB_TEST_REQUIRED");
    bool can = url && *url;
    *ret_failures = !can && required && strcmp(required, "1") == 0;
    if (!can)
        print_message("%s: several processes on one MariaDB were NOT tested: CONFAB_TEST_MARIADB "
                      "is not set (scripts/services run mariadb -- COMMAND sets it)\n",
                      *ret_failures ? "FAILED" : "SKIPPED");
    return can;
}

static int set_up(void **state, unsigned shards, unsigned journals, bool database)
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
    servers_start(f, journals, database);
    handles_open(f);
    return 0;
}

int actors_set_up(void **state)
{
    return set_up(state, 1, 0, false);
}

int actors_set_up_sharded(void **state)
{
    return set_up(state, SHARDS, 0, false);
}

int actors_set_up_redis(void **state)
{
    return set_up(state, SHARDS, 1, false);
}

int actors_set_up_redis_pair(void **state)
{
    return set_up(state, SHARDS, 2, false);
}

int actors_set_up_shared(void **state)
{
    return set_up(state, SHARDS, 1, true);
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
    servers_stop(f);
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

const struct actor_args *actors_args(const struct actors *f, unsigned server)
{
    struct life *life = (struct life *) calloc(1, sizeof *life);
    assert_non_null(life);
    life->before = lives;
    life->config = f->config;
    life->args = (struct actor_args){.config = &life->config,
                                     .run = f->data_set->run,
                                     .servers = journal_servers(f->journal),
                                     .server = server};
    lives = life;
    return &life->args;
}

static void asker_open(struct actors *f, enum actor_kind kind)
{
    f->asker[kind] = zsock_new(ZMQ_DEALER);
    assert_non_null(f->asker[kind]);
    zsock_set_sndhwm(f->asker[kind], 0); /* it stands for hundreds of askers */
    zsock_set_rcvhwm(f->asker[kind], 0);
    assert_int_equal(zsock_connect(f->asker[kind], "%s",
                                   kind == NUMBERING ? NUMBERING_ENDPOINT : QUERY_ENDPOINT),
                     0);
}

/* One for each journal server, and who spreads. */
static zactor_t *numbering_start(struct actors *f, status_t *ret_status)
{
    unsigned servers = journal_servers(f->journal);
    if (servers == 1)
        return actor_start(numbering_actor, actors_args(f, 0), ret_status);
    for (unsigned i = 0; i < servers; i++) {
        f->numbering[i] = actor_start(numbering_actor, actors_args(f, i), ret_status);
        assert_non_null(f->numbering[i]);
    }
    return actor_start(spread_actor, actors_args(f, 0), ret_status);
}

bool actor_try(struct actors *f, enum actor_kind kind, status_t *ret_status)
{
    static zactor_fn *const functions[] = {persistence_actor, counting_actor, indexing_actor, NULL,
                                           query_actor};
    assert_null(f->actor[kind]);
    f->actor[kind] = kind == NUMBERING
                         ? numbering_start(f, ret_status)
                         : actor_start(functions[kind], actors_args(f, 0), ret_status);
    if (f->actor[kind] && kind >= NUMBERING)
        asker_open(f, kind);
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
    for (size_t i = 0; kind == NUMBERING && i < JOURNALS_MAX; i++)
        zactor_destroy(&f->numbering[i]);
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
