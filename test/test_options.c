/* SPDX-License-Identifier: MIT */
/* test_options.c - what a command takes of its own, and what it refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "commands/options.h"
#include "support.h"

enum { WORDS_MAX = 16 };
enum { FROM, OUTPUT, BODIES, COUNT };

struct call {
    char *argv[WORDS_MAX];
    int argc, words;
    struct option options[COUNT];
    char *complaints;
};

/* Words are separated by blanks; at most one that is no option is taken. */
static bool read_options(struct call *call, const char *text)
{
    size_t size;
    *call = (struct call){.options = {
                              [FROM] = {.name = "from", .kind = OPTION_NUMBER, .number = 7},
                              [OUTPUT] = {.name = "output", .kind = OPTION_TEXT},
                              [BODIES] = {.name = "bodies", .kind = OPTION_SWITCH},
                          }};
    char *copy = text_of("%s", text);
    for (char *word = strtok(copy, " "); word; word = strtok(NULL, " "))
        call->argv[call->argc++] = word;
    FILE *complaints = open_memstream(&call->complaints, &size);
    bool good = options_read("log", call->argc, call->argv, call->options, COUNT, 1, &call->words,
                             complaints);
    fclose(complaints);
    return good;
}

static void assert_refused(const char *text, const char *complaint)
{
    struct call call;
    assert_false(read_options(&call, text));
    if (!strstr(call.complaints, complaint))
        fail_msg("\"%s\" is not in: %s", complaint, call.complaints);
    assert_non_null(strstr(call.complaints, "confab help log"));
    free(call.complaints);
}

static void without_options_defaults_stand(void **state)
{
    (void) state;
    struct call call;
    assert_true(read_options(&call, ""));
    assert_int_equal(call.words, 0);
    assert_false(call.options[FROM].given);
    assert_int_equal(call.options[FROM].number, 7);
    assert_null(call.options[OUTPUT].text);
    assert_false(call.options[BODIES].given);
    assert_string_equal(call.complaints, "");
    free(call.complaints);
}

static void a_value_stands_behind_an_equals_sign_or_in_the_next_word(void **state)
{
    (void) state;
    static const char *const calls[] = {"--from=17 --output=a=b --bodies word",
                                        "word --bodies --output a=b --from 17",
                                        "--from 1 --from=17 --output a=b --bodies -- word"};
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        struct call call;
        assert_true(read_options(&call, calls[i]));
        assert_true(call.options[FROM].given);
        assert_int_equal(call.options[FROM].number, 17);
        assert_string_equal(call.options[OUTPUT].text, "a=b");
        assert_true(call.options[BODIES].given);
        assert_int_equal(call.words, 1);
        assert_string_equal(call.argv[0], "word");
        free(call.complaints);
    }
}

static void a_dash_alone_and_what_follows_two_are_words(void **state)
{
    (void) state;
    struct call call;
    assert_true(read_options(&call, "-"));
    assert_string_equal(call.argv[0], "-");
    free(call.complaints);
    assert_true(read_options(&call, "-- --bodies"));
    assert_int_equal(call.words, 1);
    assert_string_equal(call.argv[0], "--bodies");
    assert_false(call.options[BODIES].given);
    free(call.complaints);
}

static void what_the_command_does_not_list_is_refused(void **state)
{
    (void) state;
    assert_refused("--nope", "'--nope' is not an option");
    assert_refused("--fro=1", "'--fro' is not an option");
    assert_refused("--froms=1", "'--froms' is not an option");
    assert_refused("-f", "'-f' is not an option");
    assert_refused("a b", "'b' is more than this command takes");
}

static void values_must_be_there_and_fit(void **state)
{
    (void) state;
    assert_refused("--from", "'--from' needs a value");
    assert_refused("--from=", "'--from=' needs a value");
    assert_refused("--output", "'--output' needs a value");
    assert_refused("--output=", "'--output=' needs a value");
    assert_refused("--from=x", "'--from=x' needs a number");
    assert_refused("--from=-1", "needs a number");
    assert_refused("--from=01", "needs a number");
    assert_refused("--from 99999999999999999", "needs a number");
    assert_refused("--bodies=yes", "'--bodies=yes' takes no value");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_options_defaults_stand),
        cmocka_unit_test(a_value_stands_behind_an_equals_sign_or_in_the_next_word),
        cmocka_unit_test(a_dash_alone_and_what_follows_two_are_words),
        cmocka_unit_test(what_the_command_does_not_list_is_refused),
        cmocka_unit_test(values_must_be_there_and_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
