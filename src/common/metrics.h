/* SPDX-License-Identifier: MIT */
/* metrics.h - counters and histograms: the one thing that threads share.
 *
 * Any thread may add; reading gives each value by itself, not one moment of all.
 */
#ifndef COMMON_METRICS_H
#define COMMON_METRICS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buffer.h"

#define METRICS_LIST(X)                                                                            \
    X(IDEMPOTENT_REPLAYS, "confab_idempotent_replays_total",                                       \
      "Creations answered from an idempotency key")                                                \
    X(REPLIES_DROPPED, "confab_replies_dropped_total", "Replies whose asker was gone or too slow") \
    X(RECORDS_APPENDED, "confab_records_appended_total", "Records made durable in the log")        \
    X(APPENDS_FAILED, "confab_appends_failed_total", "Batches that the journal did not take")      \
    X(RECORDS_STORED, "confab_records_stored_total", "Records applied to the store")               \
    X(RECORDS_INDEXED, "confab_records_indexed_total", "Records applied to the search index")      \
    X(DOCUMENTS_REFUSED, "confab_documents_refused_total",                                         \
      "Documents that the search index refused as bad data")                                       \
    X(RECORDS_DEAD, "confab_records_dead_total", "Records put aside as bad data")                  \
    X(READS_PARKED, "confab_reads_parked_total", "Reads that waited for the store")

enum metric {
#define METRIC_ENUM(name, prometheus, help) METRIC_##name,
    METRICS_LIST(METRIC_ENUM)
#undef METRIC_ENUM
        METRIC_COUNT
};

void metrics_add(enum metric metric, uint64_t value);

/* A histogram with upper bounds that its owner chose; the last bucket is +Inf. */
enum { HISTOGRAM_BUCKETS_MAX = 16 };
struct histogram {
    const double *bounds;
    size_t bound_count; /* at most HISTOGRAM_BUCKETS_MAX - 1 */
    _Atomic uint64_t buckets[HISTOGRAM_BUCKETS_MAX];
    _Atomic uint64_t sum_millionths;
};

void histogram_add(struct histogram *histogram, double value);

/* Appends in Prometheus' text form; labels is empty or `route="x"`. HELP and
 * TYPE lines are the caller's, once a name. */
void histogram_print(struct buffer *buffer, const char *name, const char *labels,
                     struct histogram *histogram);

/* Records in a batch: confab_batch_records. */
extern struct histogram metrics_batch_records;

/* Appends every metric of this file. */
void metrics_print(struct buffer *buffer);

#endif
