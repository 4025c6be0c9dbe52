/* SPDX-License-Identifier: MIT */
/* search_elastic_http.c - one request to Elasticsearch, and its answer.
 *
 * One easy handle for each index handle: curl keeps its connection. A server that
 * could not be reached is not asked again for a while, so that whoever asks hears
 * at once that it is away.
 */
#include <assert.h>
#include <math.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "storage/search_elastic.h"

enum {
    CONNECT_MS = 1000,
    REST_US = 1000000,
    RESPONSE_MAX = 64 << 20,
};

/* Before any thread's first handle; curl would do it by itself, with a race. */
static void curl_prepare(void)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        abort();
}

static size_t response_take(char *data, size_t size, size_t count, void *self_p)
{
    search_elastic_t *self = self_p;
    if (self->response.length + size * count > RESPONSE_MAX)
        return 0; /* curl gives up */
    buffer_append(&self->response, data, size * count);
    return size * count;
}

void search_elastic_words(search_elastic_t *self, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(self->errmsg, sizeof self->errmsg, format, arguments);
    va_end(arguments);
}

/* ---- the URL ---- */

static bool name_valid(const char *name)
{
    size_t length = strlen(name);
    bool valid = length > 0 && length <= INDEX_NAME_MAX && name[0] >= '0' && name[0] != '_';
    for (size_t i = 0; i < length; i++)
        valid = valid && strchr("abcdefghijklmnopqrstuvwxyz0123456789_-.", name[i]);
    return valid;
}

/* What may stand behind the question mark: shards=1&replicas=0 */
static bool parameters_read(search_elastic_t *self, char *query)
{
    char *rest = query;
    for (char *part; (part = strsep(&rest, "&"));) {
        char *end, *value = strchr(part, '=');
        if (!value || value[1] < '0' || value[1] > '9')
            return false;
        *value++ = '\0';
        unsigned long number = strtoul(value, &end, 10);
        if (*end || number > 1024)
            return false;
        if (strcmp(part, "shards") == 0 && number > 0)
            self->shards = (unsigned) number;
        else if (strcmp(part, "replicas") == 0)
            self->replicas = (unsigned) number;
        else
            return false;
    }
    return true;
}

/* A part of the URL; *ret_text NULL if it has none. */
static bool url_part(CURLU *url, CURLUPart part, unsigned flags, char **ret_text)
{
    char *text = NULL;
    *ret_text = NULL;
    if (curl_url_get(url, part, &text, flags) != CURLUE_OK)
        return part != CURLUPART_HOST && part != CURLUPART_PATH;
    *ret_text = strdup(text);
    curl_free(text);
    assert(*ret_text);
    return true;
}

static bool url_read(search_elastic_t *self, const char *text)
{
    CURLU *url = curl_url();
    char *scheme = NULL, *host = NULL, *port = NULL, *path = NULL, *query = NULL, *fragment = NULL;
    assert(url);
    bool valid = curl_url_set(url, CURLUPART_URL, text, 0) == CURLUE_OK &&
                 url_part(url, CURLUPART_SCHEME, 0, &scheme) &&
                 url_part(url, CURLUPART_HOST, 0, &host) &&
                 url_part(url, CURLUPART_PORT, CURLU_DEFAULT_PORT, &port) &&
                 url_part(url, CURLUPART_PATH, 0, &path) &&
                 url_part(url, CURLUPART_QUERY, 0, &query) &&
                 url_part(url, CURLUPART_FRAGMENT, 0, &fragment) &&
                 url_part(url, CURLUPART_USER, CURLU_URLDECODE, &self->user) &&
                 url_part(url, CURLUPART_PASSWORD, CURLU_URLDECODE, &self->password);
    valid = valid && scheme && host && port && path && !fragment && name_valid(path + 1) &&
            (!query || parameters_read(self, query));
    if (valid && asprintf(&self->server, "%s://%s:%s", scheme, host, port) < 0)
        abort();
    if (valid)
        snprintf(self->name, sizeof self->name, "%s", path + 1);
    free(scheme);
    free(host);
    free(port);
    free(path);
    free(query);
    free(fragment);
    curl_url_cleanup(url);
    return valid;
}

static void handle_set(search_elastic_t *self)
{
    CURL *curl = self->curl;
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long) CONNECT_MS);
    curl_easy_setopt(curl, CURLOPT_TCP_NODELAY, 1L);
    curl_easy_setopt(curl, CURLOPT_PROXY, ""); /* whatever the environment says */
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, response_take);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, self);
    if (self->user) {
        curl_easy_setopt(curl, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
        curl_easy_setopt(curl, CURLOPT_USERNAME, self->user);
        curl_easy_setopt(curl, CURLOPT_PASSWORD, self->password ? self->password : "");
    }
    static const char *const types[] = {"Content-Type: application/json",
                                        "Content-Type: application/x-ndjson"};
    for (int lines = 0; lines < 2; lines++) {
        /* Without this curl waits a second for a 100 before a large body. */
        self->headers[lines] = curl_slist_append(NULL, "Expect:");
        self->headers[lines] = curl_slist_append(self->headers[lines], types[lines]);
        assert(self->headers[lines]);
    }
}

status_t search_elastic_http_open(search_elastic_t *self, const char *url)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, curl_prepare);
    self->shards = 1;
    if (!url_read(self, url)) {
        search_elastic_words(self, "not http(s)://[user:password@]host:port/index, the index in "
                                   "small letters, with ?shards=N&replicas=N at most");
        return ERR_CONFIG;
    }
    self->curl = curl_easy_init();
    assert(self->curl);
    handle_set(self);
    return OK;
}

void search_elastic_http_close(search_elastic_t *self)
{
    if (self->curl)
        curl_easy_cleanup(self->curl);
    curl_slist_free_all(self->headers[0]);
    curl_slist_free_all(self->headers[1]);
    cJSON_Delete(self->json);
    buffer_free(&self->response);
    free(self->server);
    free(self->user);
    free(self->password);
}

/* ---- a request ---- */

static void request_set(search_elastic_t *self, enum http_method method, const char *url,
                        const struct buffer *body, bool lines, unsigned timeout_ms)
{
    static const char *const names[] = {"GET", "HEAD", "PUT", "POST", "DELETE"};
    CURL *curl = self->curl;
    curl_easy_setopt(curl, CURLOPT_HTTPGET, 1L); /* and nothing is left of the last one */
    if (body) {
        curl_easy_setopt(curl, CURLOPT_POST, 1L);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body->data ? body->data : "");
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t) body->length);
    }
    curl_easy_setopt(curl, CURLOPT_NOBODY, method == HTTP_HEAD ? 1L : 0L);
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, names[method]);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, self->headers[lines]);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long) timeout_ms);
}

status_t search_elastic_http(search_elastic_t *self, enum http_method method, const char *path,
                             const struct buffer *body, bool lines, unsigned timeout_ms,
                             long *ret_code)
{
    if (clock_monotonic_us() < self->rest_us)
        return ERR_SEARCH; /* errmsg still has the words of the failure */
    char url[1024];
    size_t length = (size_t) snprintf(url, sizeof url, "%s%s", self->server, path);
    assert(length < sizeof url);
    buffer_clear(&self->response);
    buffer_shrink(&self->response);
    request_set(self, method, url, body, lines, timeout_ms);
    CURLcode result = curl_easy_perform(self->curl);
    if (result != CURLE_OK) {
        search_elastic_words(self, "%s: %s", self->server, curl_easy_strerror(result));
        self->rest_us = clock_monotonic_us() + REST_US;
        return ERR_SEARCH;
    }
    curl_easy_getinfo(self->curl, CURLINFO_RESPONSE_CODE, ret_code);
    return OK;
}

status_t search_elastic_ask(search_elastic_t *self, enum http_method method, const char *path,
                            const struct buffer *body, long accept, unsigned timeout_ms,
                            long *ret_code)
{
    status_t status = search_elastic_http(self, method, path, body, false, timeout_ms, ret_code);
    if (status != OK)
        return status;
    cJSON_Delete(self->json);
    self->json = cJSON_ParseWithLength(self->response.data ? self->response.data : "",
                                       self->response.length);
    if (*ret_code != 200 && *ret_code != accept)
        return search_elastic_failed(self, *ret_code);
    if (method != HTTP_HEAD && !cJSON_IsObject(self->json)) {
        search_elastic_words(self, "%s: the answer is no JSON object", self->server);
        return ERR_SEARCH;
    }
    return OK;
}

/* ---- answers ---- */

const char *search_elastic_text(const cJSON *object, const char *key)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, key));
    return text ? text : "";
}

const char *search_elastic_error_type(const cJSON *object)
{
    return search_elastic_text(cJSON_GetObjectItemCaseSensitive(object, "error"), "type");
}

status_t search_elastic_failed(search_elastic_t *self, long code)
{
    const cJSON *error = cJSON_GetObjectItemCaseSensitive(self->json, "error");
    search_elastic_words(self, "%s: HTTP %ld %s: %.300s", self->server, code,
                         search_elastic_text(error, "type"), search_elastic_text(error, "reason"));
    return ERR_SEARCH;
}

uint64_t search_elastic_number(const cJSON *number)
{
    double value = cJSON_IsNumber(number) ? number->valuedouble : 0;
    return value >= 1 && value <= 9007199254740991.0 && trunc(value) == value ? (uint64_t) value
                                                                              : 0;
}

void search_elastic_quote(struct buffer *buffer, const char *text, size_t length)
{
    static const char hex[] = "0123456789abcdef";
    char *at = buffer_reserve(buffer, 6 * length + 2), *start = at;
    *at++ = '"';
    for (size_t i = 0; i < length; i++) {
        unsigned char byte = (unsigned char) text[i];
        if (byte == '"' || byte == '\\') {
            *at++ = '\\';
            *at++ = (char) byte;
        } else if (byte < 0x20) {
            memcpy(at, "\\u00", 4);
            at[4] = hex[byte >> 4];
            at[5] = hex[byte & 15];
            at += 6;
        } else {
            *at++ = (char) byte;
        }
    }
    *at++ = '"';
    *at = '\0';
    buffer->length += (size_t) (at - start);
}
