/* SPDX-License-Identifier: MIT */
/* clock.h - the two clocks. Any thread. */
#ifndef COMMON_CLOCK_H
#define COMMON_CLOCK_H

#include <stdint.h>
#include <time.h>

/* What people call the time: microseconds since 1970, UTC. May be set back. */
static inline int64_t clock_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec * (int64_t) 1000000 + now.tv_nsec / 1000;
}

/* For deadlines and durations: microseconds since some moment, never set back. */
static inline int64_t clock_monotonic_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * (int64_t) 1000000 + now.tv_nsec / 1000;
}

#endif
