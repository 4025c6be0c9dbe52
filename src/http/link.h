/* SPDX-License-Identifier: MIT */
/* link.h - where a list goes on: the Link field of its head.
 *
 *     Link: </api/v1/applications?limit=2&after=T>; rel="next",
 *           </api/v1/applications?limit=2>; rel="first"
 *
 * Called by the exchange's worker thread.
 */
#ifndef HTTP_LINK_H
#define HTTP_LINK_H

#include <stdbool.h>

#include "http/exchange.h"

/* Adds the field. Every parameter that the caller gave and the route knows is
 * repeated; `last` is the last item of this page, `more` whether there is a
 * next one. In rel="first" the bounds are left out. */
void link_write(struct exchange *exchange, const struct item *last, bool more, bool descending);

#endif
