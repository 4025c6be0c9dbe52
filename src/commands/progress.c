/* SPDX-License-Identifier: MIT */
#include "commands/progress.h"

#include <stdio.h>
#include <unistd.h>

#include "common/clock.h"

enum { PAUSE_US = 200000 };

void progress_start(struct progress *progress, const char *command, const char *things)
{
    int64_t now = clock_monotonic_us();
    *progress = (struct progress){
        .command = command,
        .things = things,
        .started_us = now,
        .next_us = now + PAUSE_US, /* what is done at once needs no line */
        .terminal = isatty(STDERR_FILENO) == 1,
    };
}

void progress_show(struct progress *progress, uint64_t things, uint64_t part, uint64_t whole)
{
    if (!progress->terminal)
        return;
    int64_t now = clock_monotonic_us();
    if (now < progress->next_us)
        return;
    progress->next_us = now + PAUSE_US;
    double seconds = (double) (now - progress->started_us) / 1e6;
    fprintf(stderr, "\r%s: %llu %s, %.0f/s", progress->command, (unsigned long long) things,
            progress->things, (double) things / seconds);
    if (whole)
        fprintf(stderr, ", %.0f %%", 100.0 * (double) part / (double) whole);
    fprintf(stderr, "\033[K");
}

void progress_end(struct progress *progress)
{
    if (progress->terminal)
        fprintf(stderr, "\r\033[K");
}
