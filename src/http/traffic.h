/* SPDX-License-Identifier: MIT */
/* traffic.h - how many requests there were, and how long they took.
 *
 * Any thread.
 */
#ifndef HTTP_TRAFFIC_H
#define HTTP_TRAFFIC_H

#include <stdint.h>

#include "common/buffer.h"
#include "http/head.h"
#include "http/router.h"

/* Counts one request that was answered. */
void traffic_count(enum pattern pattern, enum method method, int status, int64_t duration_us);

/* Appends confab_http_requests_total and confab_http_request_duration_seconds. */
void traffic_print(struct buffer *buffer);

#endif
