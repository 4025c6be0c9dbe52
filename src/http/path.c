/* SPDX-License-Identifier: MIT */
#include "http/path.h"

#include <string.h>

#include "common/text.h"
#include "http/percent.h"

/* Decodes what is between two slashes. NULs are refused like bad escapes: no
 * name and no number has one, and C strings would end there. */
static bool path_decode(char *segment, size_t *length)
{
    return percent_decode(segment, *length, PERCENT_PLUS_IS_PLUS, length) &&
           !memchr(segment, '\0', *length);
}

/* Goes through all segments even when no route can match any more: whether the
 * path is malformed must not depend on where that shows. */
static enum path_result path_read_segments(char *at, char *end, struct path *path)
{
    enum path_result result = PATH_OK;

    while (at < end) {
        char *slash = memchr(at, '/', (size_t) (end - at));
        char *segment = at;
        size_t length = (size_t) ((slash ? slash : end) - at);

        if (!path_decode(segment, &length))
            return PATH_MALFORMED;
        if (length == 0 || path->count == PATH_SEGMENTS_MAX) {
            result = PATH_UNKNOWN;
        } else {
            path->segments[path->count] = segment;
            path->lengths[path->count] = length;
            path->count++;
        }
        at = slash ? slash + 1 : end;
    }
    return result;
}

enum path_result path_split(char *target, size_t length, struct path *ret_path)
{
    struct path path = {0};
    char *end = target + length;
    char *mark = memchr(target, '?', length);

    if (mark) {
        path.query = mark + 1;
        path.query_length = (size_t) (end - path.query);
        end = mark;
    }

    bool rooted = target < end && *target == '/';
    enum path_result result = path_read_segments(rooted ? target + 1 : target, end, &path);
    if (result == PATH_OK && !rooted)
        result = PATH_UNKNOWN;
    if (result == PATH_OK)
        *ret_path = path;
    return result;
}

bool path_number(const char *segment, size_t length, uint64_t *ret_number)
{
    uint64_t number;

    if (!text_read_number(segment, length, &number) || number < 1 || number > PATH_NUMBER_MAX)
        return false;
    *ret_number = number;
    return true;
}
