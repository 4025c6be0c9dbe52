/* SPDX-License-Identifier: MIT */
/* head.h - what the head of a request says, and whether it can be trusted.
 *
 * civetweb takes a head apart and forgives much: two Content-Length fields, a
 * length that is no number, more fields than it keeps, folded lines after which
 * it drops the rest. Behind a proxy that reads any of these otherwise, a body
 * would be run as a request. So the head is judged here once more and refused
 * in doubt; the connection of a refused head must be closed.
 *
 * No state: any thread may call anything.
 */
#ifndef HTTP_HEAD_H
#define HTTP_HEAD_H

#include <civetweb.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    HEAD_BYTES_MAX = 16384,  /* request line and header lines */
    TARGET_BYTES_MAX = 8192, /* above it, a head too large is the target's fault */
};

enum method {
    METHOD_GET,
    METHOD_HEAD,
    METHOD_POST,
    METHOD_PUT,
    METHOD_PATCH,
    METHOD_DELETE,
    METHOD_OPTIONS,
    METHOD_OTHER,
    METHOD_COUNT
};

struct head {
    enum method method;
    bool old_protocol;        /* HTTP/1.0 */
    bool keep_alive;          /* the client wants to go on; never true where civetweb's
                                      * own reading says no */
    bool has_length, chunked; /* how the body is framed: at most one of them */
    uint64_t content_length;  /* UINT64_MAX: does not fit into 64 bits */
    bool expects_continue;    /* waits for 100 before it sends the body */
    bool expects_other;
    bool stale_allowed;       /* Cache-Control: max-stale */
    const char *content_type; /* these: NULL if the field is absent */
    const char *content_encoding;
    const char *authorization;
    const char *request_id;
    const char *idempotency_key;
    unsigned idempotency_key_count;
};

enum head_result {
    HEAD_OK,
    HEAD_MALFORMED,
    HEAD_FIELDS_TOO_LARGE,
    HEAD_TARGET_TOO_LONG,
};

/* Reads what civetweb parsed. The strings lie in civetweb's buffer, until the
 * next request. *ret_head is set in any case as far as it was read. */
enum head_result head_read(const struct mg_request_info *info, struct head *ret_head);

/* "GET", or "other". */
const char *method_name(enum method method);

/* True if a comma-separated list of tokens has this one; parameters after a
 * `=` do not count. Letter case does not matter. */
bool head_list_has(const char *list, const char *token);

#endif
