/* SPDX-License-Identifier: MIT */
/* store_fixture.h - a store with one shard, and what to offer and ask it.
 *
 * Included by the files of the store's contract. They run against SQLite, and
 * against each server that database_fixture.h finds, in a database of this process.
 */
#ifndef STORE_FIXTURE_H
#define STORE_FIXTURE_H

#include "database_fixture.h"
#include "storage/store.h"
#include "storage/store_read.h"
#include "storage/store_scan.h"

#define EPOCH ((UINT64_C(1) << 32) | 77)
#define A "token-of-application-a"
#define B "token-of-application-b"

static const char *store_database; /* its name on the server */
static const char *store_url;      /* NULL: this run is about SQLite */

struct fixture {
    char *folder;
    const char *url;
    store_t *store;
    struct position position;
    int64_t time;
};

/* ---- set up ---- */

static const char *const tables[] = {
    "data_sets", "applications", "chats",  "messages",      "positions",
    "purges",    "dead_records", "leases", "lease_members", "schema_migrations",
};
enum { TABLES = sizeof tables / sizeof tables[0] };

/* Runs "BEFORE table" for the first `count` of them. */
static inline void tables_do(const char *url, const char *before, size_t count)
{
    sql_t *sql;
    assert_int_equal(sql_open(url, SQL_DURABLE, &sql), OK);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(sql_script(sql, text_of("%s %s", before, tables[i])), OK);
    sql_close(&sql);
}

static inline void tables_drop(const char *url)
{
    tables_do(url, "DROP TABLE IF EXISTS", TABLES);
}

static inline void migrate(const char *url)
{
    char errmsg[256] = "";
    status_t status = store_migrate(url, errmsg, sizeof errmsg);
    if (status != OK)
        fail_msg("%s: %s", status_name(status), errmsg);
}

static inline void sql_do(struct fixture *f, const char *text)
{
    sql_t *sql;
    assert_int_equal(sql_open(f->url, SQL_DURABLE, &sql), OK);
    if (sql_script(sql, text) != OK)
        fail_msg("%s: %s", text, sql_errmsg(sql));
    sql_close(&sql);
}

static inline int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->folder = folder_make();
    f->url = store_url ? store_url : text_of("sqlite:%s/store.db", f->folder);
    migrate(f->url);
    if (store_url)
        tables_do(f->url, "DELETE FROM", TABLES - 1);
    assert_int_equal(store_open(f->url, false, &f->store), OK);
    f->position = (struct position){.epoch = EPOCH, .name = {EPOCH, 0}, .time = 0, .run = 5};
    f->time = 1000000;
    assert_int_equal(store_data_set_create(f->store, 99, 1), OK);
    assert_int_equal(store_position_set(f->store, FOLLOWER_PERSISTENCE, 0, &f->position), OK);
    assert_int_equal(store_position_set(f->store, FOLLOWER_COUNTING, 0, &f->position), OK);
    *state = f;
    return 0;
}

static inline int tear_down(void **state)
{
    struct fixture *f = *state;
    fake_sql_heal();
    store_close(&f->store);
    folder_remove(&f->folder);
    free(f);
    return 0;
}

/* ---- offering records ---- */

static inline struct change change_of(struct fixture *f, struct record records[], size_t count)
{
    f->time += 1000;
    records_number(records, count, f->position.seq, f->time);
    return (struct change){
        .from = f->position,
        .to = position_after(&f->position, count, 7, f->position.seq + 1, f->time),
        .records = records,
        .count = count,
        .dead_reason = "refused by a test",
    };
}

static inline void apply(struct fixture *f, struct record records[], size_t count)
{
    struct change change = change_of(f, records, count);
    status_t status = store_apply(f->store, &change);
    if (status != OK)
        fail_msg("%s: %s", status_name(status), store_errmsg(f->store));
    f->position = change.to;
}

static inline void apply_one(struct fixture *f, struct record record)
{
    apply(f, &record, 1);
}

/* Puts the record at `which` aside. */
static inline void apply_dead(struct fixture *f, struct record records[], size_t count,
                              size_t which)
{
    bool *dead = calloc(count, sizeof *dead);
    dead[which] = true;
    struct change change = change_of(f, records, count);
    change.dead = dead;
    status_t status = store_apply(f->store, &change);
    free(dead);
    assert_int_equal(status, OK);
    f->position = change.to;
}

/* Application 1 with chats 1 and 2; chat 1 has messages 1 to `messages`. */
static inline void populate(struct fixture *f, size_t messages)
{
    struct record records[3] = {
        record_application_created(A, 1, "the first"),
        record_chat_created(A, 1, 1, "one"),
        record_chat_created(A, 1, 2, ""),
    };
    apply(f, records, 3);
    struct record *created = calloc(messages + 1, sizeof *created);
    for (size_t i = 0; i < messages; i++)
        created[i] = record_message_created(A, 1, 1, i + 1, text_of("message %zu", i + 1));
    if (messages)
        apply(f, created, messages);
    free(created);
}

/* ---- asking ---- */

enum { SEEN_MAX = 16 };

/* What was delivered, as far as tests ask; frames are limited to 8 KiB. */
struct seen_item {
    uint64_t number, count, last;
    int64_t created, updated;
    size_t text_length;
    char text[48], token[48]; /* cut */
};

struct seen {
    size_t count;
    struct seen_item item[SEEN_MAX];
};

static inline void seen_add(void *context, const struct item *item)
{
    struct seen *seen = context;
    assert_true(seen->count < SEEN_MAX);
    struct seen_item *to = &seen->item[seen->count++];
    *to = (struct seen_item){
        .number = item->number,
        .count = item->count,
        .last = item->last,
        .created = item->created,
        .updated = item->updated,
        .text_length = item->text_length,
    };
    snprintf(to->text, sizeof to->text, "%.*s", (int) item->text_length, item->text);
    if (item->token)
        snprintf(to->token, sizeof to->token, "%.*s", (int) item->token_length, item->token);
}

/* The numbers of a page, as text: "1 2 3", with " ..." if there are more. */
static inline const char *numbers_of(const struct seen *seen, bool more)
{
    struct buffer line = {0};
    buffer_append(&line, "", 0);
    for (size_t i = 0; i < seen->count; i++)
        buffer_printf(&line, i ? " %d" : "%d", (int) seen->item[i].number);
    const char *text = text_of("%s%s", line.data, more ? " ..." : "");
    buffer_free(&line);
    return text;
}

static inline const char *messages(struct fixture *f, uint64_t chat, struct range range)
{
    struct seen seen = {0};
    bool more = false;
    if (range.limit == 0)
        range.limit = SEEN_MAX - 1;
    assert_int_equal(store_messages(f->store, 1, chat, &range, SIZE_MAX, seen_add, &seen, &more),
                     OK);
    return numbers_of(&seen, more);
}

static inline const char *chats(struct fixture *f, struct range range)
{
    struct seen seen = {0};
    bool more = false;
    if (range.limit == 0)
        range.limit = SEEN_MAX - 1;
    assert_int_equal(store_chats(f->store, 1, &range, seen_add, &seen, &more), OK);
    return numbers_of(&seen, more);
}

static inline const char *body(struct fixture *f, uint64_t chat, uint64_t number)
{
    struct seen seen = {0};
    status_t status = store_message(f->store, 1, chat, number, seen_add, &seen);
    return status == OK ? text_of("%s", seen.item[0].text) : status_name(status);
}

static inline struct seen_item chat_item(struct fixture *f, uint64_t chat)
{
    struct seen seen = {0};
    assert_int_equal(store_chat(f->store, 1, chat, seen_add, &seen), OK);
    assert_int_equal(seen.count, 1);
    return seen.item[0];
}

static inline struct seen_item application_item(struct fixture *f)
{
    struct seen seen = {0};
    assert_int_equal(store_application(f->store, 1, seen_add, &seen), OK);
    return seen.item[0];
}

static inline int64_t number_in(struct fixture *f, const char *text)
{
    sql_t *sql;
    sql_rows_t *rows;
    assert_int_equal(sql_open(f->url, SQL_DURABLE, &sql), OK);
    assert_int_equal(sql_query(sql, text, SQL_NO_VALUES, &rows), OK);
    assert_true(sql_next(rows));
    int64_t number = sql_column_integer(rows, 0);
    assert_int_equal(sql_end(&rows), OK);
    sql_close(&sql);
    return number;
}

static inline struct position position_of(struct fixture *f, const char *follower)
{
    struct position position;
    bool found;
    assert_int_equal(store_position(f->store, follower, 0, &position, &found), OK);
    assert_true(found);
    return position;
}

static inline void count(struct fixture *f, uint64_t chat, uint64_t last)
{
    struct count one = {.application_id = 1, .chat = chat, .last = last};
    struct position from = position_of(f, FOLLOWER_COUNTING);
    assert_int_equal(store_counts(f->store, 0, &from, &f->position, &one, 1), OK);
}

/* ---- verify ---- */

struct faults {
    size_t count;
    char line[8][200];
};

static inline void faults_add(void *context, const char *line)
{
    struct faults *faults = context;
    if (faults->count < 8)
        snprintf(faults->line[faults->count], 200, "%s", line);
    faults->count++;
}

static inline struct faults verify(struct fixture *f, bool counts)
{
    struct faults faults = {0};
    assert_int_equal(store_verify(f->store, counts, faults_add, &faults), OK);
    return faults;
}

static inline void verify_nothing(struct fixture *f, bool counts)
{
    struct faults faults = verify(f, counts);
    if (faults.count)
        fail_msg("%s", faults.line[0]);
}

static inline void verify_one(struct fixture *f, const char *part)
{
    struct faults faults = verify(f, true);
    if (faults.count != 1 || !strstr(faults.line[0], part))
        fail_msg("%zu faults, expected one with \"%s\", the first is: %s", faults.count, part,
                 faults.count ? faults.line[0] : "");
}

/* ---- purges ---- */

static inline int purge_all(struct fixture *f)
{
    bool more = true;
    int calls = 0;
    while (more) {
        assert_int_equal(store_purge(f->store, 0, 1, &more), OK);
        calls++;
    }
    return calls;
}

/* ---- running ---- */

static inline int set_up_all(void **state)
{
    (void) state;
    store_database = server_url ? database_name() : NULL;
    store_url = server_url ? database_make(store_database) : NULL;
    return 0;
}

static inline int tear_down_all(void **state)
{
    (void) state;
    if (store_database)
        database_drop(store_database);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define RUN_FOR_ALL(what, tests) \
    run_on_all(what, tests, sizeof(tests) / sizeof(tests)[0], set_up_all, tear_down_all)

#endif
