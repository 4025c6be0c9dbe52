/* SPDX-License-Identifier: MIT */
/* test_router.c - the table: each path finds its pattern, each method its route. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "http/router.h"

static enum pattern match(const char *target)
{
    char copy[256];
    struct path path;
    snprintf(copy, sizeof copy, "%s", target);
    if (path_split(copy, strlen(copy), &path) != PATH_OK)
        return PATTERN_NONE;
    return router_match(&path);
}

static void assert_allow(enum pattern pattern, const char *expected)
{
    struct buffer allow = {0};
    router_write_allow(&allow, pattern);
    assert_string_equal(allow.data, expected);
    buffer_free(&allow);
}

/* The path as text and the path as segments are written side by side. */
static void every_pattern_matches_its_own_text(void **state)
{
    (void) state;
    for (int i = 0; i < PATTERN_COUNT; i++)
        assert_int_equal(match(router_pattern_text((enum pattern) i)), i);
}

static void a_literal_comes_before_a_variable(void **state)
{
    (void) state;
    assert_int_equal(match("/api/v1/applications/T/chats/1/messages/search"), PATTERN_SEARCH);
    assert_int_equal(match("/api/v1/applications/T/chats/1/messages/search/"), PATTERN_SEARCH);
    assert_int_equal(match("/api/v1/applications/T/chats/1/messages/7"), PATTERN_MESSAGE);
    assert_int_equal(match("/api/v1/applications/T/chats/1/messages/batch"), PATTERN_MESSAGE);
}

static void what_is_not_in_the_table_is_nothing(void **state)
{
    (void) state;
    static const char *const targets[] = {
        "/",
        "/api",
        "/api/v1",
        "/api/v2/applications",
        "/api/v1/Applications",
        "/healthz/x",
        "/api/v1/applications/T/chat",
        "/api/v1/applications/T/chats/1/messages/1/2",
        "/api/v1/applications.json",
    };
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++)
        assert_int_equal(match(targets[i]), PATTERN_NONE);
}

static void head_is_answered_by_get(void **state)
{
    (void) state;
    for (int i = 0; i < PATTERN_COUNT; i++)
        assert_ptr_equal(router_find((enum pattern) i, METHOD_HEAD),
                         router_find((enum pattern) i, METHOD_GET));
}

static void other_methods_have_no_route(void **state)
{
    (void) state;
    assert_null(router_find(PATTERN_SEARCH, METHOD_POST));
    assert_null(router_find(PATTERN_MESSAGES, METHOD_DELETE));
    assert_null(router_find(PATTERN_APPLICATIONS, METHOD_OTHER));
    assert_null(router_find(PATTERN_NONE, METHOD_GET));
}

static void allow_lists_what_a_path_knows(void **state)
{
    (void) state;
    assert_allow(PATTERN_APPLICATIONS, "GET, HEAD, POST, OPTIONS");
    assert_allow(PATTERN_APPLICATION, "GET, HEAD, PUT, PATCH, DELETE, OPTIONS");
    assert_allow(PATTERN_SEARCH, "GET, HEAD, OPTIONS");
    assert_allow(PATTERN_HEALTHZ, "GET, HEAD, OPTIONS");
}

static void the_rows_are_consistent(void **state)
{
    (void) state;
    for (size_t i = 0; i < router_route_count; i++) {
        const struct route *route = &router_routes[i];
        assert_ptr_equal(router_find(route->pattern, route->method), route);
        assert_non_null(route->handle);
        assert_int_equal(route->success == 204, route->schema == NULL);
        assert_int_equal(route->flags & ROUTE_KEYED ? 1 : 0, route->method == METHOD_POST);
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(route->operation, router_routes[k].operation);
    }
}

static void all_under_api_needs_the_key_and_ends_with_the_server(void **state)
{
    (void) state;
    for (size_t i = 0; i < router_route_count; i++) {
        const struct route *route = &router_routes[i];
        bool api = strncmp(router_pattern_text(route->pattern), "/api/", 5) == 0;
        assert_int_equal(!!(route->flags & ROUTE_API), api);
        assert_int_equal(!!(route->flags & ROUTE_NEEDS_KEY),
                         api || route->pattern == PATTERN_METRICS);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_pattern_matches_its_own_text),
        cmocka_unit_test(a_literal_comes_before_a_variable),
        cmocka_unit_test(what_is_not_in_the_table_is_nothing),
        cmocka_unit_test(head_is_answered_by_get),
        cmocka_unit_test(other_methods_have_no_route),
        cmocka_unit_test(allow_lists_what_a_path_knows),
        cmocka_unit_test(the_rows_are_consistent),
        cmocka_unit_test(all_under_api_needs_the_key_and_ends_with_the_server),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) ? 1 : 0;
}
