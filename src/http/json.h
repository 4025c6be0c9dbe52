/* SPDX-License-Identifier: MIT */
/* json.h - the strict reader of request bodies.
 *
 * Validates every byte by RFC 8259 and hands out the members asked for, in one
 * walk, in place: no tree, no allocation, bounded stack. Stricter readers of
 * one object than of JSON in general: the text must be an object, nested at
 * most JSON_DEPTH_MAX deep. Unlike most readers it refuses lone surrogates,
 * and it knows a NUL character (an escape) from a NUL byte (malformed).
 *
 * It reads what strangers send. What other services answer is read by a
 * library.
 *
 * No state: any thread may call anything.
 */
#ifndef HTTP_JSON_H
#define HTTP_JSON_H

#include <stddef.h>

#include "http/params.h"

/* The outer object is at depth 1. */
enum { JSON_DEPTH_MAX = 32 };

enum json_result {
    JSON_OK,
    JSON_MALFORMED,
};

/* Reads one object and sets the members named in `params`, at the top level
 * only; see params.h for what is replaced and who owns what. Strings become
 * PARAM_TEXT, decoded, a NUL where an escape says so. null leaves what `params`
 * held before the call, also after an earlier member of the same name. All
 * else becomes PARAM_OTHER with the value as written. A byte order mark before
 * the object is skipped. JSON_MALFORMED: nothing is set, `text` is in pieces.
 * `count` is at most PARAMS_MAX (asserted). */
enum json_result json_read_object(char *text, size_t length, struct param params[], size_t count);

#endif
