/* SPDX-License-Identifier: MIT */
/* media.h - the type of a request's body.
 *
 * No state: any thread may call anything.
 */
#ifndef HTTP_MEDIA_H
#define HTTP_MEDIA_H

enum media {
    MEDIA_JSON,  /* application/json, anything +json, or no type at all */
    MEDIA_FORM,  /* application/x-www-form-urlencoded */
    MEDIA_OTHER, /* another type, another charset than UTF-8, or encoded */
};

/* Reads Content-Type and Content-Encoding; NULL: there is no such field. */
enum media media_read(const char *type, const char *encoding);

#endif
