/* SPDX-License-Identifier: MIT */
/* advice.h - what to do about a journal, store or index that cannot be used.
 *
 * A status says what class of failure it is; what a person has to do stands in the
 * service's own words. No state: any thread.
 */
#ifndef COMMANDS_ADVICE_H
#define COMMANDS_ADVICE_H

#include <stdbool.h>

#include "common/status.h"

struct advice {
    const char *todo; /* a sentence without its end; never NULL */
    bool passing;     /* it may end by itself, or when the service is started */
};

enum advice_part { ADVICE_JOURNAL, ADVICE_STORE, ADVICE_SEARCH };

/* `words`: what the part's errmsg says; `server`: it is no file. */
struct advice advice_about(enum advice_part part, bool server, status_t status, const char *words);

#endif
