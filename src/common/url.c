/* SPDX-License-Identifier: MIT */
#include "common/url.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "common/record.h"
#include "common/text.h"

/* ---- reading ---- */

/* Copies `length` bytes, decoded if `escapes`. */
static const char *part_copy(const char *text, size_t length, bool escapes, char part[])
{
    size_t written = 0;
    for (size_t at = 0; at < length; at++) {
        uint32_t byte = (unsigned char) text[at];
        if (escapes && byte == '%') {
            if (length - at < 3 || !text_read_hex(text + at + 1, 2, &byte) || byte == 0)
                return "has a % that is not followed by two hexadecimal digits (%25 is a %)";
            at += 2;
        }
        if (written == URL_PART_SIZE - 1)
            return "is too long";
        part[written++] = (char) byte;
    }
    part[written] = 0;
    return NULL;
}

static const char *account_read(const char *text, size_t length, struct url *url)
{
    const char *colon = (const char *) memchr(text, ':', length);
    size_t user = colon ? (size_t) (colon - text) : length;
    if (memchr(text, '@', length))
        return "has an @ in its user or password, which is written as %40";
    const char *why = part_copy(text, user, true, url->user);
    if (!why && colon)
        why = part_copy(colon + 1, length - user - 1, true, url->password);
    return why;
}

static const char *port_read(const char *text, size_t length, uint16_t *ret_port)
{
    uint64_t port;
    if (length == 0 || length > 5 || !text_read_number(text, length, &port) || port < 1 ||
        port > UINT16_MAX)
        return "has no port from 1 to 65535 behind its host";
    *ret_port = (uint16_t) port;
    return NULL;
}

static const char *host_read(const char *text, size_t length, struct url *url)
{
    const char *end = text + length, *host = text, *host_end;
    if (length > 0 && *text == '[') {
        host = text + 1;
        host_end = (const char *) memchr(text, ']', length);
        if (!host_end)
            return "has no ] behind its IPv6 address";
        text = host_end + 1;
    } else {
        host_end = (const char *) memchr(text, ':', length);
        host_end = host_end ? host_end : end;
        text = host_end;
    }
    if (host == host_end)
        return "has no host";
    for (const char *at = host; at < host_end; at++)
        if (!isalnum((unsigned char) *at) && !strchr("-._:", *at))
            return "has a host that is no name and no address (in a password / is written as %2F)";
    const char *why = part_copy(host, (size_t) (host_end - host), false, url->host);
    if (why)
        return why;
    if (text == end || *text != ':')
        return "has no port from 1 to 65535 behind its host";
    return port_read(text + 1, (size_t) (end - text - 1), &url->port);
}

const char *url_read(const char *text, size_t length, struct url *ret_url)
{
    struct url url = {.scheme = ""};
    const char *end = text + length;
    const char *colon = (const char *) memmem(text, length, "://", 3);
    if (!colon || colon == text || (size_t) (colon - text) >= sizeof url.scheme)
        return "does not begin with a scheme and ://";
    memcpy(url.scheme, text, (size_t) (colon - text));
    text = colon + 3;
    const char *question = (const char *) memchr(text, '?', (size_t) (end - text));
    const char *path_end = question ? question : end;
    const char *slash = (const char *) memchr(text, '/', (size_t) (path_end - text));
    const char *authority_end = slash ? slash : path_end;
    const char *at = (const char *) memrchr(text, '@', (size_t) (authority_end - text));
    const char *why = at ? account_read(text, (size_t) (at - text), &url) : NULL;
    text = at ? at + 1 : text;
    if (!why)
        why = host_read(text, (size_t) (authority_end - text), &url);
    if (!why && slash)
        why = part_copy(slash + 1, (size_t) (path_end - slash - 1), true, url.path);
    if (!why && question)
        why = part_copy(question + 1, (size_t) (end - question - 1), false, url.parameters);
    if (!why)
        *ret_url = url;
    return why;
}

/* ---- the three settings ---- */

/* SQLite would take an empty name, or one such as ":memory:", for a file of its own
 * for each connection. */
static const char *file_check(const char *url)
{
    const char *path = url + strlen("sqlite:");
    return *path && *path != ':' ? NULL : "does not name a file";
}

static bool digits_only(const char *text)
{
    return text[strspn(text, "0123456789")] == 0 && strlen(text) <= 4;
}

static const char *redis_check(const char *text, size_t length, struct url *ret_url)
{
    const char *why = url_read(text, length, ret_url);
    if (!why && strcmp(ret_url->scheme, "redis") != 0)
        why = "mixes redis:// with something else; all of its servers are Redis";
    if (!why && *ret_url->user && !*ret_url->password)
        why = "has a user and no password (a password alone is written :password@)";
    if (!why && !digits_only(ret_url->path))
        why = "has something behind the slash that is not the number of a database";
    if (!why && *ret_url->parameters)
        why = "has parameters, and redis:// takes none";
    return why;
}

/* Is it one of those before `at`, which were read without a fault? */
static bool server_before(const char *urls, const char *at, const struct url *server)
{
    struct url before;
    for (; urls < at; urls += strcspn(urls, ",") + 1)
        if (!url_read(urls, strcspn(urls, ","), &before) && before.port == server->port &&
            strcmp(before.host, server->host) == 0)
            return true;
    return false;
}

const char *url_check_journal(const char *urls)
{
    struct url server;
    size_t count = 0;
    if (text_has_scheme(urls, "sqlite"))
        return strstr(urls, "redis://") ? "mixes sqlite: with redis://" : file_check(urls);
    if (!text_has_scheme(urls, "redis"))
        return "is neither sqlite:PATH nor redis://[:password@]host:port[/db]";
    for (const char *at = urls; at; count++) {
        size_t length = strcspn(at, ",");
        if (count == SHARDS_MAX)
            return "names more servers than there can be shards";
        const char *why = redis_check(at, length, &server);
        if (!why && server_before(urls, at, &server))
            why = "names a server twice";
        if (why)
            return why;
        at = at[length] ? at + length + 1 : NULL;
    }
    return NULL;
}

const char *url_check_store(const char *url)
{
    struct url parts;
    if (text_has_scheme(url, "sqlite"))
        return file_check(url);
    if (!text_has_scheme(url, "mysql"))
        return "is neither sqlite:PATH nor mysql://user:password@host:port/database";
    const char *why = url_read(url, strlen(url), &parts);
    if (!why && !*parts.user)
        why = "has no user";
    if (!why && !*parts.path)
        why = "has no database behind the slash";
    return why;
}

/* What Elasticsearch takes for the name of an index. */
static const char *index_check(const char *name)
{
    if (!*name)
        return "has no name of an index behind the slash";
    if (strchr("-_+.", *name) || strlen(name) > 200)
        return "has a name of an index that begins with - _ + or . or is too long";
    for (const char *at = name; *at; at++)
        if (!islower((unsigned char) *at) && !isdigit((unsigned char) *at) && !strchr("-_+.", *at))
            return "has a name of an index with other characters than a-z 0-9 - _ + .";
    return NULL;
}

const char *url_check_search(const char *url)
{
    struct url parts;
    if (strcmp(url, "none") == 0)
        return NULL;
    if (text_has_scheme(url, "sqlite"))
        return file_check(url);
    if (!text_has_scheme(url, "http") && !text_has_scheme(url, "https"))
        return "is none of sqlite:PATH, http(s)://host:port/index and none";
    const char *why = url_read(url, strlen(url), &parts);
    return why ? why : index_check(parts.path);
}

/* Where nothing is a file of this machine, servers share everything: each would have
 * an index with a part of the messages. */
const char *url_check_together(const char *journal, const char *store, const char *search)
{
    bool file = text_has_scheme(journal, "sqlite") || text_has_scheme(store, "sqlite");
    return file || !text_has_scheme(search, "sqlite")
               ? NULL
               : "is a file, and servers that share journal and store need an index that they "
                 "share: http://host:port/index, or none";
}

/* ---- for logs ---- */

/* Where one URL of a list ends: at a comma that another follows. */
static size_t element_length(const char *text)
{
    for (const char *comma = strchr(text, ','); comma; comma = strchr(comma + 1, ',')) {
        size_t letters = strspn(comma + 1, "abcdefghijklmnopqrstuvwxyz");
        if (letters > 0 && strncmp(comma + 1 + letters, "://", 3) == 0)
            return (size_t) (comma - text);
    }
    return strlen(text);
}

static void text_add(char public[URL_PUBLIC_SIZE], const char *text, size_t length)
{
    size_t used = strlen(public);
    size_t room = URL_PUBLIC_SIZE - 1 - used;
    memcpy(public + used, text, length < room ? length : room);
    public[used + (length < room ? length : room)] = 0;
}

/* A password may hold anything where it was not encoded as it should be: so all is
 * hidden from the first colon to the last @. */
static void element_add(char public[URL_PUBLIC_SIZE], const char *text, size_t length)
{
    const char *start = (const char *) memmem(text, length, "://", 3);
    const char *at = start ? (const char *) memrchr(start, '@', length - (size_t) (start - text))
                           : NULL;
    const char *colon = at ? (const char *) memchr(start + 3, ':', (size_t) (at - start - 3))
                           : NULL;
    if (at && !colon && strncmp(text, "mysql", 5) != 0)
        colon = start + 2; /* a password where a user should be */
    if (!colon) {
        text_add(public, text, length);
        return;
    }
    text_add(public, text, (size_t) (colon + 1 - text));
    text_add(public, "***", 3);
    text_add(public, at, length - (size_t) (at - text));
}

const char *url_public(const char *url, char public[URL_PUBLIC_SIZE])
{
    public[0] = 0;
    for (const char *at = url; *at;) {
        size_t length = element_length(at);
        element_add(public, at, length);
        at += length;
        if (*at) {
            text_add(public, ",", 1);
            at++;
        }
    }
    return public;
}
