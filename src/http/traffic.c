/* SPDX-License-Identifier: MIT */
#include "http/traffic.h"

#include <stdatomic.h>
#include <stdio.h>

#include "common/metrics.h"
#include "http/response.h"

enum { PATTERNS = PATTERN_COUNT + 1 }; /* and PATTERN_NONE */

static _Atomic uint64_t counts[PATTERNS][METHOD_COUNT][STATUS_INDEX_COUNT];

static const double bounds[] = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                0.1,    0.25,  0.5,    1,     2.5,  10};
static struct histogram durations[PATTERNS] = {
    [0 ... PATTERN_COUNT] = {.bounds = bounds, .bound_count = sizeof bounds / sizeof *bounds},
};

void traffic_count(enum pattern pattern, enum method method, int status, int64_t duration_us)
{
    atomic_fetch_add_explicit(&counts[pattern][method][http_status_index(status)], 1,
                              memory_order_relaxed);
    histogram_add(&durations[pattern], (double) duration_us / 1e6);
}

static void print_counts(struct buffer *buffer, enum pattern pattern)
{
    for (int method = 0; method < METHOD_COUNT; method++)
        for (int i = 0; i < STATUS_INDEX_COUNT; i++) {
            uint64_t count = atomic_load_explicit(&counts[pattern][method][i],
                                                  memory_order_relaxed);
            if (count)
                buffer_printf(buffer,
                              "confab_http_requests_total{route=\"%s\",method=\"%s\","
                              "status=\"%d\"} %llu\n",
                              router_pattern_text(pattern), method_name((enum method) method),
                              http_status_code((enum http_status_index) i),
                              (unsigned long long) count);
        }
}

void traffic_print(struct buffer *buffer)
{
    buffer_append_text(buffer, "# HELP confab_http_requests_total Requests that were answered.\n"
                               "# TYPE confab_http_requests_total counter\n");
    for (int i = 0; i < PATTERNS; i++)
        print_counts(buffer, (enum pattern) i);
    buffer_append_text(buffer,
                       "# HELP confab_http_request_duration_seconds From a head to its answer.\n"
                       "# TYPE confab_http_request_duration_seconds histogram\n");
    for (int i = 0; i < PATTERNS; i++) {
        char label[128];
        snprintf(label, sizeof label, "route=\"%s\"", router_pattern_text((enum pattern) i));
        histogram_print(buffer, "confab_http_request_duration_seconds", label, &durations[i]);
    }
}
