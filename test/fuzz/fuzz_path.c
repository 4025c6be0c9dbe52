/* SPDX-License-Identifier: MIT */
/* fuzz_path.c - the splitter of targets against a plain one that copies. */
#include "fuzz.h"
#include "http/path.h"

/* Compares segment `number` if the path is good; tells what it makes of it. */
static enum path_result check_segment(const char *raw, size_t length, size_t number,
                                      const struct path *path)
{
    enum path_result result = PATH_OK;
    size_t decoded_length = 0;
    char *decoded;

    if (!fuzz_decode(raw, length, false, &decoded, &decoded_length) ||
        memchr(decoded, '\0', decoded_length)) {
        result = PATH_MALFORMED;
    } else if (length == 0 || number >= PATH_SEGMENTS_MAX) {
        result = PATH_UNKNOWN;
    } else if (path) {
        FUZZ_CHECK(number < path->count && path->lengths[number] == decoded_length);
        FUZZ_CHECK(memcmp(path->segments[number], decoded, decoded_length) == 0);
    }
    free(decoded);
    return result;
}

/* Goes through the raw target; compares as it goes if there is a path. */
static enum path_result check_target(const char *target, size_t size, const struct path *path)
{
    size_t end = 0, count = 0;
    bool malformed = false, unknown = size == 0 || target[0] != '/';

    while (end < size && target[end] != '?')
        end++;
    size_t begin = unknown ? 0 : 1;
    for (size_t i = begin; i <= end; i++) {
        if (i < end && target[i] != '/')
            continue;
        if (i > begin || i < end) { /* nothing between the last slash and the end is no segment */
            enum path_result result = check_segment(target + begin, i - begin, count, path);
            malformed |= result == PATH_MALFORMED;
            unknown |= result == PATH_UNKNOWN;
            count++;
        }
        begin = i + 1;
    }
    if (path) {
        FUZZ_CHECK(path->count == count);
        FUZZ_CHECK((path->query != NULL) == (end < size));
        FUZZ_CHECK(path->query_length == (end < size ? size - end - 1 : 0));
        if (path->query_length > 0)
            FUZZ_CHECK(memcmp(path->query, target + end + 1, path->query_length) == 0);
    }
    return malformed ? PATH_MALFORMED : unknown ? PATH_UNKNOWN : PATH_OK;
}

static void check_numbers(const struct path *path)
{
    for (size_t i = 0; i < path->count; i++) {
        uint64_t number;
        char again[32];
        if (!path_number(path->segments[i], path->lengths[i], &number))
            continue;
        FUZZ_CHECK(number >= 1 && number <= PATH_NUMBER_MAX);
        int length = snprintf(again, sizeof again, "%llu", (unsigned long long) number);
        FUZZ_CHECK((size_t) length == path->lengths[i]);
        FUZZ_CHECK(memcmp(again, path->segments[i], path->lengths[i]) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *target = fuzz_copy(data, size), *raw = fuzz_copy(data, size);
    struct path path;

    enum path_result result = path_split(target, size, &path);
    FUZZ_CHECK(check_target(raw, size, result == PATH_OK ? &path : NULL) == result);
    if (result == PATH_OK)
        check_numbers(&path);
    free(raw);
    free(target);
    return 0;
}
