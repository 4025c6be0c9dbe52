/* SPDX-License-Identifier: MIT */
/* sql_mysql_url.c - MySQL behind sql.h: what a URL says. */
#include <string.h>

#include "storage/sql_mysql.h"

/* "ssl=required" and "ssl_ca=FILE" */
static const char *parameters_read(struct mysql_address *address)
{
    for (char *at = address->url.parameters, *next; *at; at = next) {
        next = at + strcspn(at, "&");
        if (*next)
            *next++ = '\0';
        address->tls = true;
        if (strncmp(at, "ssl_ca=", strlen("ssl_ca=")) == 0) {
            address->tls_ca = at + strlen("ssl_ca=");
        } else if (strcmp(at, "ssl=required") != 0) {
            return "has a parameter that is neither ssl=required nor ssl_ca=FILE";
        }
    }
    return NULL;
}

const char *mysql_address_read(struct mysql_address *address, const char *where)
{
    struct buffer text = {0};
    buffer_printf(&text, "mysql:%s", where);
    const char *why = url_read(text.data, text.length, &address->url);
    buffer_free(&text);
    return why ? why : parameters_read(address);
}
