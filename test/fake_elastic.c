/* SPDX-License-Identifier: MIT */
#include "fake_elastic.h"

#include <arpa/inet.h>
#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/buffer.h"
#include "support.h"

enum { REQUESTS_MAX = 1000, FAULTS_MAX = 20, PATH_MAX_HERE = 1024, ID_MAX = 80 };

#define INDEX "messages-000001"

struct asked {
    char *path, *body;
};

struct fake_elastic {
    int listening;
    atomic_int connection; /* -1: none */
    atomic_bool stopping;
    const char *url;
    pthread_t thread;

    pthread_mutex_t lock; /* of all that follows */
    struct asked asked[REQUESTS_MAX];
    size_t asked_count;
    struct fake_elastic_fault faults[FAULTS_MAX];
    size_t fault_count;
};

/* ---- what a healthy one says ---- */

static bool listed(const char *ids, const char *id)
{
    size_t length = strlen(id);
    while (ids && *ids) {
        size_t word = strcspn(ids, " ");
        if (word == length && strncmp(ids, id, length) == 0)
            return true;
        ids += word + strspn(ids + word, " ");
    }
    return false;
}

/* An item for each action; all lines but deletions have a source behind them. */
static void bulk_answer(struct buffer *answer, const char *body,
                        const struct fake_elastic_fault *fault)
{
    char action[16], id[ID_MAX];
    buffer_printf(answer, "{\"errors\":%s,\"took\":1,\"items\":[", fault->ids ? "true" : "false");
    for (size_t count = 0; sscanf(body, "{\"%15[a-z]\":{\"_id\":\"%79[^\"]", action, id) == 2;
         count++) {
        bool failed = listed(fault->ids, id);
        buffer_printf(answer, "%s{\"%s\":{\"_index\":\"%s\",\"_id\":\"%s\",\"_seq_no\":%zu,",
                      count > 0 ? "," : "", action, fault->index ? fault->index : INDEX, id, count);
        buffer_printf(answer, "\"_primary_term\":1,\"status\":%d%s}}",
                      failed ? fault->item_code : 201,
                      failed ? ",\"error\":{\"type\":\"its_type\",\"reason\":\"its reason\"}" : "");
        body = strchr(body, '\n') + 1;
        if (strcmp(action, "delete") != 0)
            body = strchr(body, '\n') + 1;
    }
    buffer_append_text(answer, "]}");
}

/* Returns the HTTP status. */
static int healthy_answer(const char *path, const char *body,
                          const struct fake_elastic_fault *fault, struct buffer *answer)
{
    if (strstr(path, "/_bulk"))
        bulk_answer(answer, body, fault);
    else if (strstr(path, "/_refresh"))
        buffer_append_text(answer, "{\"_shards\":{\"total\":1,\"successful\":1,\"failed\":0}}");
    else if (strstr(path, "/_search"))
        buffer_append_text(answer, "{\"timed_out\":false,\"_shards\":{\"failed\":0}}");
    else if (strstr(path, "/_doc/"))
        buffer_append_text(answer, "{\"_index\":\"" INDEX "\",\"found\":false}");
    else
        buffer_append_text(answer, "{\"" INDEX "\":{\"aliases\":{\"messages\":{}},"
                                   "\"mappings\":{\"_meta\":{\"confab\":1}},"
                                   "\"settings\":{\"index\":{\"uuid\":\"an-uuid\"}}}}");
    return strstr(path, "/_doc/") ? 404 : 200;
}

/* ---- one request ---- */

/* Reads one request into `text`; false: the client is gone. */
static bool request_read(int connection, struct buffer *text, size_t *ret_body)
{
    size_t wanted = SIZE_MAX;
    buffer_clear(text);
    while (text->length < wanted) {
        char piece[65536];
        ssize_t got = recv(connection, piece, sizeof piece, 0);
        if (got <= 0)
            return false;
        buffer_append(text, piece, (size_t) got);
        const char *end = strstr(text->data, "\r\n\r\n");
        if (!end)
            continue;
        const char *length = strcasestr(text->data, "\r\ncontent-length:");
        *ret_body = (size_t) (end - text->data) + 4;
        wanted = *ret_body + (length && length < end ? strtoul(length + 17, NULL, 10) : 0);
    }
    return true;
}

/* Keeps the request, and takes the fault that was planned for it from the line. */
static struct fake_elastic_fault request_note(fake_elastic_t *self, const char *path,
                                              const char *body)
{
    struct fake_elastic_fault fault = {0};
    pthread_mutex_lock(&self->lock);
    assert(self->asked_count < REQUESTS_MAX);
    self->asked[self->asked_count++] = (struct asked){strdup(path), strdup(body)};
    size_t i = 0;
    while (i < self->fault_count && !strstr(path, self->faults[i].where))
        i++;
    if (i < self->fault_count) {
        fault = self->faults[i];
        self->fault_count--;
        memmove(&self->faults[i], &self->faults[i + 1],
                (self->fault_count - i) * sizeof *self->faults);
    }
    pthread_mutex_unlock(&self->lock);
    return fault;
}

/* False: the connection is to be closed. */
static bool request_answer(fake_elastic_t *self, int connection, const struct buffer *text,
                           size_t body)
{
    char path[PATH_MAX_HERE] = "";
    struct buffer answer = {0}, all = {0};
    int scanned = sscanf(text->data, "%*s %1023s", path);
    assert(scanned == 1);
    struct fake_elastic_fault fault = request_note(self, path, text->data + body);
    if (fault.trouble == FAKE_ELASTIC_HANGS)
        return true;
    int code = healthy_answer(path, text->data + body, &fault, &answer);
    if (fault.answer) {
        buffer_clear(&answer);
        buffer_append_text(&answer, fault.answer);
        code = 200;
    }
    bool cut = fault.trouble == FAKE_ELASTIC_CUTS;
    buffer_printf(&all, "HTTP/1.1 %d x\r\nContent-Length: %zu\r\n\r\n",
                  fault.code ? fault.code : code, answer.length);
    buffer_append(&all, answer.data ? answer.data : "", cut ? answer.length / 2 : answer.length);
    bool sent = send(connection, all.data, all.length, MSG_NOSIGNAL) == (ssize_t) all.length;
    buffer_free(&answer);
    buffer_free(&all);
    return sent && !cut;
}

static void *elastic_run(void *self_p)
{
    fake_elastic_t *self = self_p;
    struct buffer text = {0};
    size_t body;
    while (!atomic_load(&self->stopping)) {
        int connection = accept(self->listening, NULL, NULL);
        if (connection < 0)
            continue;
        atomic_store(&self->connection, connection);
        while (!atomic_load(&self->stopping) && request_read(connection, &text, &body))
            if (!request_answer(self, connection, &text, body))
                break;
        atomic_store(&self->connection, -1);
        close(connection);
    }
    buffer_free(&text);
    return NULL;
}

/* ---- for tests ---- */

fake_elastic_t *fake_elastic_open(void)
{
    fake_elastic_t *self = calloc(1, sizeof *self);
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof address;
    assert(self);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    self->listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int bound = bind(self->listening, (struct sockaddr *) &address, length);
    int listening = listen(self->listening, 8);
    int named = getsockname(self->listening, (struct sockaddr *) &address, &length);
    assert(bound == 0 && listening == 0 && named == 0);
    self->url = text_of("http://user:secret@127.0.0.1:%d/messages", ntohs(address.sin_port));
    atomic_init(&self->connection, -1);
    pthread_mutex_init(&self->lock, NULL);
    int created = pthread_create(&self->thread, NULL, elastic_run, self);
    assert(created == 0);
    return self;
}

void fake_elastic_close(fake_elastic_t **elastic_p)
{
    fake_elastic_t *self = *elastic_p;
    if (!self)
        return;
    atomic_store(&self->stopping, true);
    shutdown(self->listening, SHUT_RDWR);
    if (atomic_load(&self->connection) >= 0) /* of a test that has failed */
        shutdown(atomic_load(&self->connection), SHUT_RDWR);
    pthread_join(self->thread, NULL);
    close(self->listening);
    for (size_t i = 0; i < self->asked_count; i++) {
        free(self->asked[i].path);
        free(self->asked[i].body);
    }
    pthread_mutex_destroy(&self->lock);
    free(self);
    *elastic_p = NULL;
}

const char *fake_elastic_url(const fake_elastic_t *elastic)
{
    return elastic->url;
}

void fake_elastic_plan(fake_elastic_t *elastic, const struct fake_elastic_fault *fault)
{
    pthread_mutex_lock(&elastic->lock);
    assert(elastic->fault_count < FAULTS_MAX);
    elastic->faults[elastic->fault_count++] = *fault;
    pthread_mutex_unlock(&elastic->lock);
}

bool fake_elastic_done(fake_elastic_t *elastic)
{
    pthread_mutex_lock(&elastic->lock);
    bool done = elastic->fault_count == 0;
    pthread_mutex_unlock(&elastic->lock);
    return done;
}

/* The nth; *ret_count: how many there are. */
static const char *body_look(fake_elastic_t *elastic, const char *where, size_t nth,
                             size_t *ret_count)
{
    const char *body = NULL;
    size_t count = 0;
    pthread_mutex_lock(&elastic->lock);
    for (size_t i = 0; i < elastic->asked_count; i++)
        if (strstr(elastic->asked[i].path, where) && count++ == nth)
            body = elastic->asked[i].body;
    pthread_mutex_unlock(&elastic->lock);
    *ret_count = count;
    return body;
}

size_t fake_elastic_count(fake_elastic_t *elastic, const char *where)
{
    size_t count;
    body_look(elastic, where, SIZE_MAX, &count);
    return count;
}

const char *fake_elastic_body(fake_elastic_t *elastic, const char *where, size_t nth)
{
    size_t count;
    return body_look(elastic, where, nth, &count);
}
