/* SPDX-License-Identifier: MIT */
/* params.h - the parameters that a route asks for, wherever they come from.
 *
 *     struct param params[] = {{.name = "limit"}, {.name = "after"}};
 *     query string --params_read_form--> params <--params_read_form-- form body
 *                                          ^------json_read_object--- JSON body
 *
 * The caller lists the names it knows and passes the same array to each reader
 * in turn, the query string first: a parameter that the body has replaces the
 * one from the query, one that it has not stays. Within one source the last of
 * equal names wins. Names that nobody asked for are checked and ignored.
 *
 * Values are decoded in place and point into the text that was read, which
 * must outlive them. They are valid UTF-8 and may hold NUL bytes. A reader
 * that fails leaves `params` as it was, and the text it read in pieces.
 *
 * No state: any thread may call anything.
 */
#ifndef HTTP_PARAMS_H
#define HTTP_PARAMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The most parameters a route may ask for. */
enum { PARAMS_MAX = 16 };

enum param_type {
    PARAM_ABSENT, /* not given, or null in JSON */
    PARAM_TEXT,   /* a string */
    PARAM_OTHER,  /* a number, boolean, array or object of JSON, as written there */
};

struct param {
    const char *name;     /* set by the caller, never changed here */
    enum param_type type; /* PARAM_ABSENT to begin with */
    const char *text;     /* not NUL-terminated */
    size_t length;
};

/* Reads application/x-www-form-urlencoded: a query string without its `?`, or
 * a body. A plus is a space, a name without `=` has an empty value, empty
 * pairs are skipped, an empty text has no parameters. False if an escape is
 * not a `%` and two hexadecimal digits, or if any name or value, also one that
 * nobody asked for, is not UTF-8. `count` is at most PARAMS_MAX (asserted). */
bool params_read_form(char *text, size_t length, struct param params[], size_t count);

/* Reads a number as text_read_number() does. False if the parameter is not a
 * text, not such a number or not within the bounds, which are included. */
bool params_read_number(const struct param *param, uint64_t minimum, uint64_t maximum,
                        uint64_t *ret_number);

/* The parameter of that name; NULL if nobody asked for it. */
struct param *params_find(struct param params[], size_t count, const char *name, size_t length);

#endif
