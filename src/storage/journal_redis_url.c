/* SPDX-License-Identifier: MIT */
/* journal_redis_url.c - redis://[[user]:password@]host[:port][/database], several of
 * them with commas between. What is wrong is said without showing a password. */
#include <stdlib.h>
#include <string.h>

#include "common/text.h"
#include "storage/journal_redis.h"

enum { PORT_USUAL = 6379, PORT_MAX = 65535, DATABASE_MAX = 1 << 20 };

/* Takes %XX apart; NULL if that is none, or stands for a NUL. */
static char *decoded(const char *text, size_t length)
{
    char *copy = malloc(length + 1), *to = copy;
    if (!copy)
        abort();
    for (size_t i = 0; i < length; i++) {
        uint32_t code = (unsigned char) text[i];
        if (text[i] == '%') {
            if (length - i < 3 || !text_read_hex(text + i + 1, 2, &code) || code == 0) {
                free(copy);
                return NULL;
            }
            i += 2;
        }
        *to++ = (char) code;
    }
    *to = '\0';
    return copy;
}

static bool number_read(const char *text, size_t length, uint64_t max, unsigned *ret_number)
{
    uint64_t number;
    if (!text_read_number(text, length, &number) || number > max)
        return false;
    *ret_number = (unsigned) number;
    return true;
}

/* [user]:password, or a password alone. */
static bool login_read(struct node *node, const char *text, size_t length)
{
    const char *colon = memchr(text, ':', length);
    size_t user_length = colon ? (size_t) (colon - text) : 0;
    const char *password = colon ? colon + 1 : text;
    if (user_length > 0 && !(node->user = decoded(text, user_length)))
        return false;
    node->password = decoded(password, (size_t) (text + length - password));
    return node->password != NULL;
}

/* host[:port], the host in brackets if it is an IPv6 address. */
static bool host_read(struct node *node, const char *text, size_t length)
{
    const char *end = text + length, *port = memrchr(text, ':', length);
    const char *bracket = memrchr(text, ']', length);
    if (bracket && port && port < bracket)
        port = NULL;
    node->port = PORT_USUAL;
    if (port && (!number_read(port + 1, (size_t) (end - port - 1), PORT_MAX, &node->port) ||
                 node->port == 0))
        return false;
    if (port)
        end = port;
    if (bracket && (*text != '[' || bracket + 1 != end))
        return false;
    if (bracket) {
        text++;
        end--;
    }
    node->host = decoded(text, (size_t) (end - text));
    return node->host && *node->host;
}

static status_t url_read(journal_redis_t *self, struct node *node, const char *url, size_t length)
{
    static const char scheme[] = "redis://";
    size_t skip = strlen(scheme);
    if (length > 9 && strncmp(url, "rediss://", 9) == 0)
        return journal_fail(&self->journal, ERR_CONFIG,
                            "the journal's address begins with rediss://: TLS to Redis is not "
                            "supported, use redis:// within a network that is trusted");
    if (length < skip || strncmp(url, scheme, skip) != 0)
        return journal_fail(&self->journal, ERR_CONFIG,
                            "each of the journal's addresses has to begin with redis://");
    url += skip;
    length -= skip;
    const char *at = memrchr(url, '@', length);
    if (at && !login_read(node, url, (size_t) (at - url)))
        return journal_fail(&self->journal, ERR_CONFIG,
                            "the password in the journal's address is not encoded well");
    if (at) {
        length -= (size_t) (at + 1 - url);
        url = at + 1;
    }
    const char *slash = memchr(url, '/', length);
    size_t host_length = slash ? (size_t) (slash - url) : length;
    if (slash && host_length + 1 < length &&
        !number_read(slash + 1, length - host_length - 1, DATABASE_MAX, &node->database))
        return journal_fail(&self->journal, ERR_CONFIG,
                            "what follows the host in the journal's address has to be the number "
                            "of a database");
    if (!host_read(node, url, host_length))
        return journal_fail(&self->journal, ERR_CONFIG,
                            "the journal's address has no host, or a port that is none");
    return OK;
}

static bool node_same(const struct node *a, const struct node *b)
{
    return strcmp(a->host, b->host) == 0 && a->port == b->port && a->database == b->database;
}

status_t redis_urls_read(journal_redis_t *self, const char *url)
{
    self->nodes = calloc(SERVERS_MAX, sizeof *self->nodes);
    if (!self->nodes)
        abort();
    while (*url) {
        size_t length = strcspn(url, ",");
        if (self->nodes_count == SERVERS_MAX)
            return journal_fail(&self->journal, ERR_CONFIG, "the journal has at most %d servers",
                                SERVERS_MAX);
        struct node *node = &self->nodes[self->nodes_count++];
        status_t status = url_read(self, node, url, length);
        if (status != OK)
            return status;
        for (unsigned i = 0; i + 1 < self->nodes_count; i++)
            if (node_same(&self->nodes[i], node))
                return journal_fail(&self->journal, ERR_CONFIG,
                                    "two of the journal's addresses are the same");
        url += length;
        url += *url == ',';
    }
    return self->nodes_count
               ? OK
               : journal_fail(&self->journal, ERR_CONFIG, "the journal's address is empty");
}
