/* SPDX-License-Identifier: MIT */
/* elastic_client.h - an Elasticsearch to test with, and requests to it from beside.
 *
 * The server is the one in CONFAB_TEST_ELASTICSEARCH (http://127.0.0.1:PORT); each
 * test executable has an index name of its own, and removes its indices at the end.
 * Included after cmocka.h, by one file of an executable only.
 */
#ifndef ELASTIC_CLIENT_H
#define ELASTIC_CLIENT_H

#include <curl/curl.h>
#include <unistd.h>

#include "common/buffer.h"
#include "support.h"

static const char *elastic_server(void)
{
    const char *server = getenv("CONFAB_TEST_ELASTICSEARCH");
    if (server && *server)
        return server;
    if (getenv("CONFAB_TEST_REQUIRED"))
        fail_msg("CONFAB_TEST_ELASTICSEARCH is not set; run: scripts/services run elasticsearch -- "
                 "COMMAND");
    printf("CONFAB_TEST_ELASTICSEARCH is not set: NOTHING IS TESTED ON ELASTICSEARCH\n");
    return NULL;
}

static const char *elastic_name(void)
{
    static char *name;
    if (!name)
        name = text_of("confab-test-%d-%ld", (int) getpid(), (long) time(NULL));
    return name;
}

static size_t elastic_take(char *data, size_t size, size_t count, void *buffer)
{
    buffer_append((struct buffer *) buffer, data, size * count);
    return size * count;
}

/* Returns the HTTP status; the answer is in *ret_answer, to be freed, unless NULL. */
static long elastic_request(const char *method, const char *path, const char *body,
                            char **ret_answer)
{
    struct buffer answer = {0};
    CURL *curl = curl_easy_init();
    struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
    long code = 0;
    buffer_append(&answer, "", 0);
    curl_easy_setopt(curl, CURLOPT_URL, text_of("%s%s", elastic_server(), path));
    if (body)
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
    curl_easy_setopt(curl, CURLOPT_NOBODY, strcmp(method, "HEAD") == 0 ? 1L : 0L);
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, 30L);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, elastic_take);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer);
    if (curl_easy_perform(curl) == CURLE_OK)
        curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &code);
    curl_easy_cleanup(curl);
    curl_slist_free_all(headers);
    if (ret_answer)
        *ret_answer = answer.data;
    else
        buffer_free(&answer);
    return code;
}

/* Removes every index under the name, whatever its number. */
static void elastic_remove(void)
{
    char *answer = NULL;
    elastic_request("GET", text_of("/_cat/indices/%s*?h=index", elastic_name()), NULL, &answer);
    char *rest = answer;
    for (char *line; answer && (line = strsep(&rest, " \n"));)
        if (strncmp(line, elastic_name(), strlen(elastic_name())) == 0)
            elastic_request("DELETE", text_of("/%s", line), NULL, NULL);
    free(answer);
}

#endif
