/* SPDX-License-Identifier: MIT */
/* url.h - the addresses of journal, store and search.
 *
 *     sqlite:PATH
 *     redis://[[user]:password@]host:port[/db][,redis://...]
 *     mysql://user[:password]@host:port/database[?parameters]
 *     http(s)://[user:password@]host:port/index[?parameters]
 *
 * User, password and path are percent-encoded where they hold anything that means
 * something in a URL. Whether a URL has the right form is checked when the
 * configuration is read, before anything is touched. No state: any thread.
 */
#ifndef COMMON_URL_H
#define COMMON_URL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { URL_PART_SIZE = 256, URL_PUBLIC_SIZE = 512 };

/* What a server's URL says, decoded, each part ended by a zero. */
struct url {
    char scheme[16];
    char user[URL_PART_SIZE], password[URL_PART_SIZE];
    char host[URL_PART_SIZE]; /* without the brackets of an IPv6 address */
    uint16_t port;
    char path[URL_PART_SIZE];       /* behind the slash */
    char parameters[URL_PART_SIZE]; /* behind the question mark, as they are */
};

/* Reads scheme://[user[:password]@]host:port[/path][?parameters]. NULL: it has that
 * form; else what is wrong, as the end of a sentence, without any part of the URL. */
const char *url_read(const char *text, size_t length, struct url *ret_url);

/* What is wrong with the setting `journal`, `store` or `search`, or NULL. */
const char *url_check_journal(const char *urls);
const char *url_check_store(const char *url);
const char *url_check_search(const char *url);
/* What is wrong with `search` where the other two are what they are, or NULL. */
const char *url_check_together(const char *journal, const char *store, const char *search);

/* The URL, or the list of them, for logs and messages: *** in place of passwords,
 * also where it does not have the right form. Cut where it is too long. */
const char *url_public(const char *url, char public[URL_PUBLIC_SIZE]);

#endif
