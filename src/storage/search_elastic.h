/* SPDX-License-Identifier: MIT */
/* search_elastic.h - what the files of the index on Elasticsearch share.
 *
 * The name in the URL is an alias; behind it stands name-000001 or a later one,
 * each with the settings and fields of migrations/elasticsearch/index.json. A new
 * index beside it is written through an alias of its own, name-building, so that
 * no write can ever make an index by itself (require_alias).
 *
 * A document is known as application-chat-number, and its version is the seq. No
 * source is kept: all that a body leaves behind are its grams and a hash.
 *
 *     search_elastic.c        opening, positions, the adapter's tables
 *     search_elastic_http.c   one request and its answer
 *     search_elastic_index.c  which index it is; making, publishing one
 *     search_elastic_bulk.c   documents in
 *     search_elastic_find.c   questions, and documents out many at a time
 */
#ifndef STORAGE_SEARCH_ELASTIC_H
#define STORAGE_SEARCH_ELASTIC_H

#include <cjson/cJSON.h>
#include <curl/curl.h>

#include "common/buffer.h"
#include "storage/search_adapter.h"

enum {
    INDEX_NAME_MAX = 200, /* Elasticsearch takes 255, with what we add */
    INDEX_DIGITS = 6,
    UUID_MAX = 40,
};

/* Where a shard's position stands, as far as this handle knows. */
enum knowledge {
    POSITION_UNREAD,  /* never asked for: written whatever is there */
    POSITION_ABSENT,  /* was not there: must not be there when it is written */
    POSITION_AT,      /* must be at this seq_no of the index when it is written */
    POSITION_OUTDATED /* another index, or a failure: must be read before it is written */
};

struct shard_position {
    enum knowledge knowledge;
    uint64_t seq_no, primary_term; /* Elasticsearch's own counters */
    bool pending;                  /* to be written by the next flush */
    struct position position;
};

typedef struct {
    struct search search;
    bool read_only;
    char name[INDEX_NAME_MAX + 1]; /* of the URL */
    unsigned shards, replicas;     /* of an index that is to be made */

    CURL *curl;
    struct curl_slist *headers[2]; /* JSON; lines of JSON */
    char *server;                  /* https://host:port */
    char *user, *password, *authority;
    int64_t rest_us;        /* it could not be reached: not asked before (monotonic) */
    struct buffer response; /* of the last request */
    cJSON *json;            /* the same, parsed */

    char alias[INDEX_NAME_MAX + 16]; /* what is asked and written through */
    char index[INDEX_NAME_MAX + 16]; /* what stands behind it; empty: not known */
    char uuid[UUID_MAX + 1];         /* of that one */

    struct buffer request;
    struct buffer pending; /* lines for _bulk that were taken and not sent */
    size_t pending_count;
    bool rebuilding; /* they are of a shard that has no position */
    bool unseen;     /* something was sent and is not visible yet */
    bool lost;       /* something that was taken is forgotten, and the next flush must say so */
    struct shard_position *positions;
    unsigned position_count;
    uint64_t refused; /* documents, since somebody asked */
    char errmsg[512];
} search_elastic_t;

/* ---- search_elastic_http.c ---- */

enum http_method { HTTP_GET, HTTP_HEAD, HTTP_PUT, HTTP_POST, HTTP_DELETE };

status_t search_elastic_http_open(search_elastic_t *self, const char *url);
void search_elastic_http_close(search_elastic_t *self);

/* One request; `path` begins with a slash. `lines`: the body is lines of JSON. OK:
 * *ret_code is the HTTP status, self->response what came with it. ERR_SEARCH: it is
 * not known whether anything happened. */
status_t search_elastic_http(search_elastic_t *self, enum http_method method, const char *path,
                             const struct buffer *body, bool lines, unsigned timeout_ms,
                             long *ret_code);
/* The same, for all but 200 and what `accept` allows (0: nothing) ERR_SEARCH, and the
 * answer parsed into self->json. */
status_t search_elastic_ask(search_elastic_t *self, enum http_method method, const char *path,
                            const struct buffer *body, long accept, unsigned timeout_ms,
                            long *ret_code);
/* Keeps words for errmsg: printf's, or what the answer says was wrong. */
void search_elastic_words(search_elastic_t *self, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
status_t search_elastic_failed(search_elastic_t *self, long code);
/* The type of the error in an object of Elasticsearch's; empty if there is none. */
const char *search_elastic_error_type(const cJSON *object);

/* An unsigned integer below 2^53, or 0. */
uint64_t search_elastic_number(const cJSON *number);
const char *search_elastic_text(const cJSON *object, const char *key);
/* Appends a JSON string. */
void search_elastic_quote(struct buffer *buffer, const char *text, size_t length);

/* ---- search_elastic_index.c ---- */

/* Finds the index behind the alias and, unless the handle is for reading only, makes
 * one if there is none. OK and an empty self->index: there is none. */
status_t search_elastic_index(search_elastic_t *self);
/* It may not be what it was: what was taken is lost, positions have to be read. */
void search_elastic_index_forget(search_elastic_t *self);
/* Looks whether it is still the same one; forgets what was taken if not. */
status_t search_elastic_index_check(search_elastic_t *self, bool *ret_same);
status_t search_elastic_open_anew(search_t *search);
status_t search_elastic_publish(search_t *search);

/* ---- search_elastic_bulk.c ---- */

/* The shard's entry in self->positions. */
struct shard_position *search_elastic_shard(search_elastic_t *self, unsigned shard);
void search_elastic_position_id(const search_elastic_t *self, unsigned shard, char ret_id[],
                                size_t size);

/* Adds a deletion of the document as it is in that version, to be sent. */
void search_elastic_delete(search_elastic_t *self, const char *id, uint64_t version);

/* The adapter's functions. */
status_t search_elastic_apply(search_t *search, unsigned shard, const struct document documents[],
                              size_t count, const struct position *position);
status_t search_elastic_flush(search_t *search);
uint64_t search_elastic_refused(search_t *search);
status_t search_elastic_reset(search_t *search, unsigned shard);

/* ---- search_elastic_find.c ---- */

status_t search_elastic_find(search_t *search, uint64_t application_id, uint64_t chat,
                             const char *folded, size_t folded_length, uint64_t lowest,
                             uint64_t highest, bool descending, size_t limit,
                             uint64_t ret_numbers[], size_t *ret_count);
status_t search_elastic_scan(search_t *search, struct document_cursor *cursor, size_t limit,
                             void (*each)(void *context, const struct indexed *document),
                             void *context, bool *ret_more);
status_t search_elastic_purge(search_t *search, uint64_t application_id, uint64_t chat,
                              bool *ret_more);
status_t search_elastic_purge_shard(search_t *search, unsigned shard, unsigned shards,
                                    bool *ret_more);

#endif
