/* SPDX-License-Identifier: MIT */
#include "common/metrics.h"

#include <assert.h>

static _Atomic uint64_t values[METRIC_COUNT];

static const double batch_bounds[] = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512};
struct histogram metrics_batch_records = {
    .bounds = batch_bounds,
    .bound_count = sizeof batch_bounds / sizeof *batch_bounds,
};

void metrics_add(enum metric metric, uint64_t value)
{
    atomic_fetch_add_explicit(&values[metric], value, memory_order_relaxed);
}

void histogram_add(struct histogram *histogram, double value)
{
    assert(histogram->bound_count < HISTOGRAM_BUCKETS_MAX);
    size_t i = 0;
    while (i < histogram->bound_count && value > histogram->bounds[i])
        i++;
    atomic_fetch_add_explicit(&histogram->buckets[i], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&histogram->sum_millionths, (uint64_t) (value * 1e6),
                              memory_order_relaxed);
}

void histogram_print(struct buffer *buffer, const char *name, const char *labels,
                     struct histogram *histogram)
{
    const char *comma = *labels ? "," : "";
    const char *open = *labels ? "{" : "", *close = *labels ? "}" : "";
    unsigned long long total = 0;
    for (size_t i = 0; i < histogram->bound_count; i++) {
        total += atomic_load_explicit(&histogram->buckets[i], memory_order_relaxed);
        buffer_printf(buffer, "%s_bucket{%s%sle=\"%g\"} %llu\n", name, labels, comma,
                      histogram->bounds[i], total);
    }
    total += atomic_load_explicit(&histogram->buckets[histogram->bound_count],
                                  memory_order_relaxed);
    buffer_printf(buffer, "%s_bucket{%s%sle=\"+Inf\"} %llu\n", name, labels, comma, total);
    buffer_printf(buffer, "%s_sum%s%s%s %.6f\n", name, open, labels, close,
                  (double) atomic_load_explicit(&histogram->sum_millionths, memory_order_relaxed) /
                      1e6);
    buffer_printf(buffer, "%s_count%s%s%s %llu\n", name, open, labels, close, total);
}

void metrics_print(struct buffer *buffer)
{
    static const struct {
        const char *name, *help;
    } rows[] = {
#define METRIC_ROW(name, prometheus, help) {prometheus, help},
        METRICS_LIST(METRIC_ROW)
#undef METRIC_ROW
    };
    for (size_t i = 0; i < METRIC_COUNT; i++)
        buffer_printf(buffer, "# HELP %s %s.\n# TYPE %s counter\n%s %llu\n", rows[i].name,
                      rows[i].help, rows[i].name, rows[i].name,
                      (unsigned long long) atomic_load_explicit(&values[i], memory_order_relaxed));
    buffer_printf(buffer, "# HELP confab_batch_records Records in one append.\n"
                          "# TYPE confab_batch_records histogram\n");
    histogram_print(buffer, "confab_batch_records", "", &metrics_batch_records);
}
