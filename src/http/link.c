/* SPDX-License-Identifier: MIT */
#include "http/link.h"

#include <string.h>

#include "http/json_writer.h"

static void write_escaped(struct buffer *buffer, const char *text, size_t length)
{
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char) text[i];
        bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                     c == '-' || c == '.' || c == '_' || c == '~';
        char escaped[] = {'%', digits[c >> 4], digits[c & 15]};
        if (plain)
            buffer_append(buffer, text + i, 1);
        else
            buffer_append(buffer, escaped, sizeof escaped);
    }
}

/* The path as it was understood, so that a link never repeats odd escapes. */
static void write_path(struct buffer *buffer, const struct path *path)
{
    for (size_t i = 0; i < path->count; i++) {
        buffer_append(buffer, "/", 1);
        write_escaped(buffer, path->segments[i], path->lengths[i]);
    }
}

/* `?` before the first parameter, `&` before the others. */
static void write_name(struct buffer *buffer, const char *name, bool *first)
{
    buffer_append(buffer, *first ? "?" : "&", 1);
    buffer_append_text(buffer, name);
    buffer_append(buffer, "=", 1);
    *first = false;
}

/* The caller's parameters but the one that `moved` replaces; PARAM_END: but all
 * bounds. True if there was none. */
static bool write_params(const struct exchange *x, struct buffer *buffer, enum param_id moved)
{
    bool first = true;
    for (size_t i = 0; i < x->param_count; i++) {
        enum param_id id = x->route->params[i];
        bool bound = id == PARAM_AFTER || id == PARAM_BEFORE;
        if (x->params[i].type == PARAM_ABSENT || id == moved || (bound && moved == PARAM_END))
            continue;
        write_name(buffer, x->params[i].name, &first);
        write_escaped(buffer, x->params[i].text, x->params[i].length);
    }
    return first;
}

void link_write(struct exchange *x, const struct item *last, bool more, bool descending)
{
    struct buffer *fields = &x->worker->fields;
    buffer_append_text(fields, "Link: <");
    if (more) {
        enum param_id moved = descending ? PARAM_BEFORE : PARAM_AFTER;
        write_path(fields, &x->path);
        bool first = write_params(x, fields, moved);
        write_name(fields, router_param_name(moved), &first);
        if (last->number)
            json_write_number(fields, last->number);
        else
            write_escaped(fields, last->token, last->token_length);
        buffer_append_text(fields, ">; rel=\"next\", <");
    }
    write_path(fields, &x->path);
    write_params(x, fields, PARAM_END);
    buffer_append_text(fields, ">; rel=\"first\"\r\n");
}
