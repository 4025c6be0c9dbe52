/* SPDX-License-Identifier: MIT */
/* path.h - a request target in pieces.
 *
 *     /api/v1/applications/a%2Fb/?limit=5
 *      ^^^ ^^ ^^^^^^^^^^^^ ^^^^^  ^^^^^^^
 *      segments 0, 1, 2    "a/b"  query, raw
 *
 * The path is split at its slashes first and each segment decoded then, once:
 * an escaped slash never splits a segment, an escaped percent sign is never
 * taken for an escape. One slash at the end does not count. A plus is a plus,
 * and `.` and `..` are segments like any other.
 *
 * No state: any thread may call anything.
 */
#ifndef HTTP_PATH_H
#define HTTP_PATH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* No route is longer. */
enum { PATH_SEGMENTS_MAX = 10 };

/* The largest number that a chat or message may have: 2^53 - 1, so that no
 * client's JSON reader rounds it. */
#define PATH_NUMBER_MAX UINT64_C(9007199254740991)

enum path_result {
    PATH_OK,
    PATH_MALFORMED, /* a bad escape, a NUL or text that is not UTF-8, wherever it stands */
    PATH_UNKNOWN,   /* readable, but no route can look like this */
};

struct path {
    const char *segments[PATH_SEGMENTS_MAX]; /* decoded; not NUL-terminated */
    size_t lengths[PATH_SEGMENTS_MAX];
    size_t count;        /* 0 for the path "/" */
    char *query;         /* behind the first `?`, not decoded; NULL if there is none */
    size_t query_length; /* 0 if there is none */
};

/* Takes a raw request target apart, decoding in place: the segments and the
 * query point into `target`. PATH_UNKNOWN: it does not begin with a slash, has
 * an empty segment other than one at the end, or too many segments.
 * *ret_path is set only if the result is PATH_OK. */
enum path_result path_split(char *target, size_t length, struct path *ret_path);

/* Reads the number of a chat or message: from 1 to PATH_NUMBER_MAX, written as
 * text_read_number() wants it. False for anything else. */
bool path_number(const char *segment, size_t length, uint64_t *ret_number);

#endif
