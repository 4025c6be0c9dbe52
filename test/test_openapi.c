/* SPDX-License-Identifier: MIT */
/* test_openapi.c - the description says what the route table does, all of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <cjson/cJSON.h>
#include <cmocka.h>

#include "http/openapi.h"
#include "http/problem.h"
#include "http/router.h"

static int set_up(void **state)
{
    struct buffer text = {0};
    openapi_write(&text, true);
    *state = cJSON_ParseWithLengthOpts(text.data, text.length + 1, NULL, true);
    buffer_free(&text);
    return *state ? 0 : -1;
}

static int tear_down(void **state)
{
    cJSON_Delete(*state);
    return 0;
}

static const cJSON *member(const cJSON *object, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(object, name);
}

static const cJSON *operation(const cJSON *document, const struct route *route)
{
    char method[16];
    const char *name = method_name(route->method);
    size_t i = 0;
    for (; name[i]; i++)
        method[i] = (char) (name[i] | 0x20);
    method[i] = 0;
    const cJSON *path = member(member(document, "paths"), router_pattern_text(route->pattern));
    return member(path, method);
}

static const cJSON *answer(const cJSON *document, const struct route *route, int status)
{
    char text[8];
    snprintf(text, sizeof text, "%d", status);
    return member(member(operation(document, route), "responses"), text);
}

static bool array_has(const cJSON *array, const char *text)
{
    const cJSON *element;
    cJSON_ArrayForEach(element,
                       array) if (strcmp(cJSON_GetStringValue(element), text) == 0) return true;
    return false;
}

static void it_is_openapi_3_1(void **state)
{
    assert_string_equal(cJSON_GetStringValue(member(*state, "openapi")), "3.1.0");
    assert_string_equal(cJSON_GetStringValue(member(member(*state, "info"), "version")),
                        CONFAB_VERSION);
}

static void every_route_is_in_it_with_its_success(void **state)
{
    for (size_t i = 0; i < router_route_count; i++) {
        const struct route *route = &router_routes[i];
        const cJSON *described = operation(*state, route);
        assert_non_null(described);
        assert_string_equal(cJSON_GetStringValue(member(described, "operationId")),
                            route->operation);
        const cJSON *success = answer(*state, route, route->success);
        assert_non_null(success);
        assert_int_equal(member(success, "content") != NULL, route->schema != NULL);
    }
}

static void every_problem_of_a_route_is_in_it_with_its_code(void **state)
{
    for (size_t i = 0; i < router_route_count; i++)
        for (size_t k = 0; router_routes[i].problems[k] != PROBLEM_NONE; k++) {
            const struct problem_row *row = problem_row(router_routes[i].problems[k]);
            const cJSON *described = answer(*state, &router_routes[i], row->status);
            assert_non_null(described);
            const cJSON *schema = member(
                member(member(described, "content"), "application/problem+json"), "schema");
            const cJSON *own = cJSON_GetArrayItem(member(schema, "allOf"), 1);
            const cJSON *code = member(member(own, "properties"), "code");
            assert_true(array_has(member(code, "enum"), row->code));
        }
}

/* A code that no route may answer would be a code that nobody documents. */
static void every_code_is_somewhere(void **state)
{
    char *text = cJSON_PrintUnformatted(member(*state, "paths"));
    for (int i = PROBLEM_NONE + 1; i < PROBLEM_COUNT; i++) {
        char quoted[64];
        snprintf(quoted, sizeof quoted, "\"%s\"", problem_row((enum problem) i)->code);
        assert_non_null(strstr(text, quoted));
    }
    cJSON_free(text);
}

static void every_parameter_of_a_route_is_in_it(void **state)
{
    for (size_t i = 0; i < router_route_count; i++)
        for (size_t k = 0; router_routes[i].params[k] != PARAM_END; k++) {
            const char *name = router_param_name(router_routes[i].params[k]);
            const cJSON *parameter, *found = NULL;
            cJSON_ArrayForEach(parameter,
                               member(operation(*state, &router_routes[i]), "parameters"))
            {
                const char *described = cJSON_GetStringValue(member(parameter, "name"));
                if (described && strcmp(described, name) == 0)
                    found = parameter;
            }
            assert_non_null(found);
        }
}

/* "#/components/schemas/Chat": names without escapes. */
static void assert_resolves(const cJSON *document, const char *reference)
{
    assert_true(strncmp(reference, "#/", 2) == 0);
    const cJSON *at = document;
    for (const char *name = reference + 2; at && *name;) {
        size_t length = strcspn(name, "/");
        char part[64];
        snprintf(part, sizeof part, "%.*s", (int) length, name);
        at = member(at, part);
        name += length + (name[length] == '/');
    }
    if (!at)
        fail_msg("%s leads nowhere", reference);
}

static void assert_references(const cJSON *document, const cJSON *node)
{
    const cJSON *child;
    cJSON_ArrayForEach(child, node)
    {
        if (child->string && strcmp(child->string, "$ref") == 0)
            assert_resolves(document, cJSON_GetStringValue(child));
        assert_references(document, child);
    }
}

static void every_reference_leads_somewhere(void **state)
{
    assert_references(*state, *state);
}

static void the_variables_of_a_path_are_its_parameters(void **state)
{
    const cJSON *path;
    cJSON_ArrayForEach(path, member(*state, "paths"))
    {
        int variables = 0;
        for (const char *at = path->string; (at = strchr(at, '{')); at++)
            variables++;
        assert_int_equal(cJSON_GetArraySize(member(path, "parameters")), variables);
    }
}

static void a_server_without_a_key_asks_for_none(void **state)
{
    (void) state;
    struct buffer text = {0};
    openapi_write(&text, false);
    cJSON *document = cJSON_Parse(text.data);
    assert_int_equal(cJSON_GetArraySize(cJSON_GetArrayItem(member(document, "security"), 0)), 0);
    cJSON_Delete(document);
    buffer_free(&text);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(it_is_openapi_3_1),
        TEST(every_route_is_in_it_with_its_success),
        TEST(every_problem_of_a_route_is_in_it_with_its_code),
        TEST(every_code_is_somewhere),
        TEST(every_parameter_of_a_route_is_in_it),
        TEST(every_reference_leads_somewhere),
        TEST(the_variables_of_a_path_are_its_parameters),
        cmocka_unit_test(a_server_without_a_key_asks_for_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) ? 1 : 0;
}
