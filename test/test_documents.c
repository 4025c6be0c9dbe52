/* SPDX-License-Identifier: MIT */
/* test_documents.c - what the documents say of the code is what the code does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/config.h"
#include "support.h"

/* A file of the source tree. */
static char *document_read(const char *name)
{
    size_t length;
    char *text = file_read(text_of("%s/%s", SOURCE_DIR, name), &length);
    if (!text)
        fail_msg("%s cannot be read", name);
    return text;
}

/* The table that begins with the head of `table`, up to its last row. */
static char *table_find(char *document, const char *table)
{
    char *start = strstr(document, text_of("%.*s\n", (int) strcspn(table, "\n"), table));
    if (!start)
        return NULL;
    char *end = start;
    while (*end == '|')
        end += strcspn(end, "\n") + (strchr(end, '\n') != NULL);
    *end = 0;
    return start;
}

static void the_table_of_settings_is_the_one_that_the_code_prints(void **state)
{
    (void) state;
    char *printed = NULL;
    size_t length = 0;
    FILE *file = open_memstream(&printed, &length);
    assert_non_null(file);
    config_print_markdown(file);
    fclose(file);

    char *document = document_read("docs/CONFIGURATION.md");
    const char *table = table_find(document, printed);
    if (!table || strcmp(table, printed) != 0)
        fail_msg("the table of docs/CONFIGURATION.md should be:\n%s", printed);
    free(document);
    free(printed);
}

/* Every status, by its number, so that a client can be written from the document. */
static void the_protocol_lists_every_status_under_its_number(void **state)
{
    (void) state;
    char *document = document_read("docs/PROTOCOL.md");
    for (int i = OK; i <= ERR_STOPPED; i++) {
        const char *row = text_of("\n| %d | `%s` | %s |\n", i, status_name((status_t) i),
                                  status_text((status_t) i));
        if (!strstr(document, row))
            fail_msg("docs/PROTOCOL.md should have the row%s", row);
    }
    free(document);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_of_settings_is_the_one_that_the_code_prints),
        cmocka_unit_test(the_protocol_lists_every_status_under_its_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) ? 1 : 0;
}
