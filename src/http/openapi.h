/* SPDX-License-Identifier: MIT */
/* openapi.h - the API described by OpenAPI 3.1, made from the route table.
 *
 * No state: any thread may call anything.
 */
#ifndef HTTP_OPENAPI_H
#define HTTP_OPENAPI_H

#include <stdbool.h>

#include "common/buffer.h"

/* Appends the document. `secured`: the server wants its API key. */
void openapi_write(struct buffer *buffer, bool secured);

/* Appends the member "components" of the document: schemas, parameters,
 * headers, security. For openapi.c. */
void openapi_write_components(struct buffer *buffer);

#endif
