/* SPDX-License-Identifier: MIT */
/* actors_look.c - asking the actors, waiting for them, and looking at what they left. */
#include <stdlib.h>
#include <string.h>

#include "actors.h"
#include "common/metrics.h"
#include "storage/store_scan.h"

enum { REPLY_MS_MAX = 30000, WAIT_MS = 2000 };

/* ---- asking ---- */

uint64_t request_send(struct actors *f, const struct request *request)
{
    struct request copy = *request;
    copy.id = ++f->last_id;
    if (copy.wait_ms_max == 0)
        copy.wait_ms_max = WAIT_MS;
    request_encode(&f->frame, &copy);
    zsock_t *asker = f->asker[request->type >= REQUEST_APPLICATIONS ? QUERY : NUMBERING];
    assert_int_equal(zmq_send(zsock_resolve(asker), f->frame.data, f->frame.length, 0),
                     f->frame.length);
    return copy.id;
}

void reply_wait(struct actors *f, enum actor_kind from)
{
    zmq_pollitem_t item = {zsock_resolve(f->asker[from]), 0, ZMQ_POLLIN, 0};
    if (zmq_poll(&item, 1, REPLY_MS_MAX) <= 0)
        fail_msg("actor %d does not reply", from);
    zmq_msg_close(&f->answer);
    zmq_msg_init(&f->answer);
    assert_true(zmq_msg_recv(&f->answer, item.socket, 0) > 0);
    assert_false(zmq_msg_more(&f->answer));
    assert_int_equal(reply_decode(zmq_msg_data(&f->answer), zmq_msg_size(&f->answer), &f->reply),
                     OK);
}

status_t ask(struct actors *f, const struct request *request)
{
    uint64_t id = request_send(f, request);
    reply_wait(f, request->type >= REQUEST_APPLICATIONS ? QUERY : NUMBERING);
    assert_int_equal(f->reply.id, id);
    return f->reply.status;
}

struct request request_of(enum request_type type, const char *token, uint64_t chat, uint64_t number,
                          const char *text)
{
    return (struct request){
        .type = type,
        .token = token,
        .token_length = strlen(token),
        .chat = chat,
        .number = number,
        .text = text ? text : "",
        .text_length = text ? strlen(text) : 0,
        .limit = 100,
    };
}

struct request request_keyed(struct request request, uint64_t key, uint64_t rest)
{
    request.keyed = true;
    memcpy(request.key, &key, sizeof key);
    memcpy(request.request_hash, &rest, sizeof rest);
    return request;
}

void application_post(struct actors *f, const char *token)
{
    struct request request = request_of(REQUEST_APPLICATION_CREATE, token, 0, 0, "a name");
    assert_int_equal(ask(f, &request), OK);
}

uint64_t chat_post(struct actors *f, const char *token)
{
    struct request request = request_of(REQUEST_CHAT_CREATE, token, 0, 0, "a chat");
    return ask(f, &request) == OK ? f->reply.number : 0;
}

uint64_t message_post(struct actors *f, const char *token, uint64_t chat, const char *body)
{
    struct request request = request_of(REQUEST_MESSAGE_CREATE, token, chat, 0, body);
    return ask(f, &request) == OK ? f->reply.number : 0;
}

void messages_post(struct actors *f, const char *token, uint64_t chat, uint64_t count)
{
    char body[32];
    for (uint64_t i = 0, last = 0; i < count; i++) {
        snprintf(body, sizeof body, "body %llu", (unsigned long long) (i + 1));
        struct request request = request_of(REQUEST_MESSAGE_CREATE, token, chat, 0, body);
        request_send(f, &request);
        if (i % 64 < 63 && i + 1 < count)
            continue;
        for (uint64_t left = i % 64 + 1; left > 0; left--) { /* some dozens in flight */
            reply_wait(f, NUMBERING);
            assert_int_equal(f->reply.status, OK);
            assert_true(last == 0 || f->reply.number == last + 1);
            last = f->reply.number;
        }
    }
}

struct item reply_item(struct actors *f)
{
    struct item item;
    struct bytes_reader reader = bytes_reader(f->reply.items, f->reply.items_length);
    assert_int_equal(f->reply.item_count, 1);
    assert_int_equal(item_decode(&reader, &item), OK);
    return item;
}

const char *reply_numbers(struct actors *f)
{
    static char text[1024];
    struct bytes_reader reader = bytes_reader(f->reply.items, f->reply.items_length);
    size_t length = 0;
    text[0] = 0;
    for (uint32_t i = 0; i < f->reply.item_count; i++) {
        struct item item;
        assert_int_equal(item_decode(&reader, &item), OK);
        length += (size_t) snprintf(text + length, sizeof text - length, "%s%llu", i ? " " : "",
                                    (unsigned long long) item.number);
        assert_true(length < sizeof text);
    }
    return text;
}

void message_check(struct actors *f, const char *token, uint64_t chat, uint64_t number,
                   const char *body)
{
    struct request request = request_of(REQUEST_MESSAGE, token, chat, number, NULL);
    assert_int_equal(ask(f, &request), OK);
    struct item item = reply_item(f);
    assert_int_equal(item.number, number);
    assert_int_equal(item.text_length, strlen(body));
    assert_memory_equal(item.text, body, item.text_length);
}

/* ---- waiting ---- */

void wait_pause(int64_t until_us, const char *condition, const char *file, int line)
{
    if (clock_monotonic_us() > until_us)
        fail_msg("%s:%d: waited in vain for %s", file, line, condition);
    zclock_sleep(1);
}

uint64_t last_seq(struct actors *f, unsigned shard)
{
    struct journal_meta meta;
    bool found;
    assert_int_equal(journal_meta(f->journal, shard, &meta, &found), OK);
    assert_true(found);
    return meta.last_seq;
}

uint64_t followed_seq(struct actors *f, const char *follower, unsigned shard)
{
    struct position position;
    bool found;
    status_t status = strcmp(follower, FOLLOWER_INDEXING) == 0
                          ? search_position(f->search, shard, &position, &found)
                          : store_position(f->store, follower, shard, &position, &found);
    assert_int_equal(status, OK);
    return found ? position.seq : 0;
}

void follower_wait(struct actors *f, const char *follower)
{
    for (unsigned shard = 0; shard < f->config.shards; shard++)
        WAIT_FOR(followed_seq(f, follower, shard) == last_seq(f, shard));
}

/* ---- behind the curtain ---- */

int64_t file_number(struct actors *f, enum file file, const char *sql)
{
    sql_rows_t *rows;
    assert_int_equal(sql_query(f->sql[file], sql, SQL_NO_VALUES, &rows), OK);
    int64_t number = sql_next(rows) ? sql_column_integer(rows, 0) : 0;
    assert_int_equal(sql_end(&rows), OK);
    return number;
}

void file_run(struct actors *f, enum file file, const char *sql)
{
    uint64_t changed;
    assert_int_equal(sql_run(f->sql[file], sql, SQL_NO_VALUES, &changed), OK);
}

void file_lock(struct actors *f, enum file file)
{
    assert_int_equal(sql_begin(f->sql[file]), OK);
}

void file_unlock(struct actors *f, enum file file)
{
    if (f->sql[file])
        sql_rollback(f->sql[file]);
}

uint64_t metric_value(const char *name)
{
    struct buffer text = {0};
    metrics_print(&text);
    char *line = strstr(text.data, text_of("\n%s ", name));
    assert_non_null(line);
    uint64_t value = strtoull(line + strlen(name) + 2, NULL, 10);
    buffer_free(&text);
    return value;
}

/* ---- verify ---- */

static void fault_tell(void *count_p, const char *line)
{
    print_error("verify: %s\n", line);
    ++*(int *) count_p;
}

struct documents {
    uint64_t count, sum;
};

/* Order does not matter, every byte of a document does. */
static void document_add(struct documents *documents, uint64_t application_id, uint64_t chat,
                         uint64_t number, uint64_t body)
{
    uint64_t hash = 14695981039346656037u ^ application_id;
    hash = (hash * 1099511628211u ^ chat) * 1099511628211u ^ number;
    documents->count++;
    documents->sum += (hash * 1099511628211u ^ body) * 1099511628211u;
}

static void row_take(void *documents_p, const struct scan_message *message)
{
    char *folded = (char *) malloc(TEXT_FOLDED_MAX(message->body_length) + 1);
    assert_non_null(folded);
    size_t length = text_fold(message->body, message->body_length, folded,
                              TEXT_FOLDED_MAX(message->body_length));
    document_add((struct documents *) documents_p, message->application_id, message->chat,
                 message->number, search_hash(folded, length));
    free(folded);
}

static void document_take(void *documents_p, const struct indexed *document)
{
    document_add((struct documents *) documents_p, document->application_id, document->chat,
                 document->number, document->hash);
}

void store_check(struct actors *f)
{
    int faults = 0;
    assert_int_equal(store_verify(f->store, true, fault_tell, &faults), OK);
    assert_int_equal(faults, 0);
}

void index_check(struct actors *f)
{
    struct documents rows = {0}, documents = {0};
    struct scan scan = {.shards = 1, .limit = 1000};
    struct document_cursor cursor = {0};
    for (bool more = true; more;)
        assert_int_equal(store_scan_messages(f->store, &scan, row_take, &rows, &more), OK);
    for (bool more = true; more;)
        assert_int_equal(search_scan(f->search, &cursor, 1000, document_take, &documents, &more),
                         OK);
    assert_int_equal(documents.count, rows.count);
    assert_true(documents.sum == rows.sum);
}
