/* SPDX-License-Identifier: MIT */
#include "common/status.h"

#include <stddef.h>

static const struct {
    const char *name, *text;
} statuses[] = {
#define STATUS_ROW(name, text) {#name, text},
    STATUS_LIST(STATUS_ROW)
#undef STATUS_ROW
};

static size_t status_bounded(status_t status)
{
    size_t count = sizeof statuses / sizeof *statuses;
    return (size_t) status < count ? (size_t) status : count - 1;
}

const char *status_text(status_t status)
{
    return statuses[status_bounded(status)].text;
}

const char *status_name(status_t status)
{
    return statuses[status_bounded(status)].name;
}
