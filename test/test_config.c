/* SPDX-License-Identifier: MIT */
/* test_config.c - a setting is a flag, a variable and a line of a file, in this order. */
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

enum { WORDS_MAX = 16 };

struct fixture {
    char *folder;
    struct config config;
    char *argv[WORDS_MAX]; /* copies, as the config may point into them */
    int argc;
    char *complaints;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->folder = folder_make();
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    config_free(&f->config);
    folder_remove(&f->folder);
    free(f->complaints);
    free(f);
    return 0;
}

/* Words and variables are separated by blanks. */
static int words_split(const char *text, char *words[WORDS_MAX])
{
    int count = 0;
    char *copy = text_of("%s", text);
    for (char *word = strtok(copy, " "); word; word = strtok(NULL, " "))
        words[count++] = word;
    words[count] = NULL;
    return count;
}

static status_t load(struct fixture *f, const char *flags, const char *variables)
{
    char *environment[WORDS_MAX];
    size_t size;
    config_free(&f->config);
    free(f->complaints);
    FILE *complaints = open_memstream(&f->complaints, &size);
    f->argc = words_split(flags, f->argv);
    words_split(variables, environment);
    status_t status = config_load(&f->argc, f->argv, environment, complaints, &f->config);
    fclose(complaints);
    return status;
}

static void assert_refused(struct fixture *f, const char *flags, const char *variables,
                           const char *complaint)
{
    assert_int_equal(load(f, flags, variables), ERR_CONFIG);
    if (!strstr(f->complaints, complaint))
        fail_msg("\"%s\" is not in: %s", complaint, f->complaints);
}

/* Writes a configuration file and returns the flag that names it. */
static const char *file_flag(struct fixture *f, const char *text)
{
    const char *path = text_of("%s/confab.conf", f->folder);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    return text_of("--config=%s", path);
}

/* ---- precedence ---- */

static void without_anything_defaults_stand(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(load(f, "", ""), OK);
    assert_string_equal(f->config.listen, "0.0.0.0:4000");
    assert_string_equal(f->config.rebuild, "manual");
    assert_int_equal(f->config.threads, 256);
    assert_int_equal(f->config.counts_flush, 10000);
    assert_int_equal(f->config.max_body, 1 << 20);
    assert_int_equal(f->config.log_level, LEVEL_INFO);
}

static void a_flag_wins_over_the_environment_and_that_over_the_file(void **state)
{
    struct fixture *f = *state;
    const char *file = file_flag(f, "threads = 16\nkeys_max = 16\nmax_body = 16K\n");
    assert_int_equal(
        load(f, text_of("%s --threads=64", file), "CONFAB_THREADS=32 CONFAB_KEYS_MAX=32"), OK);
    assert_int_equal(f->config.threads, 64);
    assert_int_equal(f->config.keys_max, 32);
    assert_int_equal(f->config.max_body, 16384);
}

static void the_last_of_equal_flags_wins(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(load(f, "--threads=16 --threads 32", ""), OK);
    assert_int_equal(f->config.threads, 32);
}

static void the_environment_may_name_the_file_and_a_flag_another(void **state)
{
    struct fixture *f = *state;
    const char *file = file_flag(f, "threads = 16\n");
    const char *variable = text_of("CONFAB_CONFIG=%s/confab.conf", f->folder);
    assert_int_equal(load(f, "", variable), OK);
    assert_int_equal(f->config.threads, 16);
    assert_int_equal(load(f, file, "CONFAB_CONFIG=/nowhere/confab.conf"), OK);
    assert_int_equal(f->config.threads, 16);
}

static void words_that_are_no_settings_stay(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(load(f, "list --shard=1 --threads 64 --bodies --shards=2 last", ""), OK);
    assert_int_equal(f->argc, 4);
    assert_string_equal(f->argv[0], "list");
    assert_string_equal(f->argv[1], "--shard=1");
    assert_string_equal(f->argv[2], "--bodies");
    assert_string_equal(f->argv[3], "last");
    assert_int_equal(f->config.threads, 64);
    assert_int_equal(f->config.shards, 2);
}

/* ---- values ---- */

static void durations_have_units(void **state)
{
    struct fixture *f = *state;
    const struct {
        const char *text;
        uint64_t ms;
    } durations[] = {{"1500ms", 1500}, {"2s", 2000}, {"5m", 300000}, {"1h", 3600000}};
    for (size_t i = 0; i < sizeof durations / sizeof *durations; i++) {
        assert_int_equal(load(f, text_of("--counts-flush=%s", durations[i].text), ""), OK);
        assert_int_equal(f->config.counts_flush, durations[i].ms);
    }
}

static void sizes_have_units(void **state)
{
    struct fixture *f = *state;
    const struct {
        const char *text;
        uint64_t bytes;
    } sizes[] = {{"1048577", 1048577}, {"2048K", 2 << 20}, {"3M", 3 << 20}, {"1G", 1 << 30}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        assert_int_equal(load(f, text_of("--backlog-bytes=%s", sizes[i].text), ""), OK);
        assert_int_equal(f->config.backlog_bytes, sizes[i].bytes);
    }
}

static void values_have_bounds(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(load(f, "--threads=8", ""), OK);
    assert_int_equal(load(f, "--threads=4096", ""), OK);
    assert_refused(f, "--threads=7", "", "a number from 8 to 4096");
    assert_refused(f, "--threads=4097", "", "a number from 8 to 4096");
    assert_refused(f, "--counts-flush=999ms", "", "a time from 1000ms to 3600000ms");
    assert_refused(f, "--counts-flush=61m", "", "a time from 1000ms to 3600000ms");
    assert_refused(f, "--max-body=0", "", "a size from 1024 to");
}

static void what_is_no_such_value_is_refused(void **state)
{
    struct fixture *f = *state;
    static const char *const numbers[] = {"",     "many", "-1",  "+8",  "8.5",
                                          "0x10", "8K",   "1e2", "16x", "99999999999999999999"};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        assert_refused(f, text_of("--threads=%s", numbers[i]), "", "is not what threads takes");
    assert_refused(f, "--counts-flush=10", "", "is not what counts_flush takes");
    assert_refused(f, "--counts-flush=10d", "", "is not what counts_flush takes");
    assert_refused(f, "--backlog-bytes=17179869184G", "", "is not what backlog_bytes takes");
    assert_refused(f, "--log-level=loud", "", "debug, info, warning or error");
    assert_refused(f, "--rebuild=never", "", "manual or auto");
}

static void levels_have_names(void **state)
{
    struct fixture *f = *state;
    static const char *const names[] = {"debug", "info", "warning", "error"};
    for (int i = 0; i < 4; i++) {
        assert_int_equal(load(f, text_of("--log-level %s", names[i]), ""), OK);
        assert_int_equal(f->config.log_level, i);
    }
}

/* ---- complaints ---- */

static void a_complaint_names_where_the_value_came_from(void **state)
{
    struct fixture *f = *state;
    const char *file = file_flag(f, "\n# a comment\nthreads = none\n");
    assert_refused(f, "--threads=x", "", "--threads=x: 'x'");
    assert_refused(f, "--threads", "", "--threads needs a value");
    assert_refused(f, "", "CONFAB_THREADS=y", "CONFAB_THREADS: 'y'");
    assert_refused(f, file, "", "confab.conf, line 3: 'none'");
}

static void a_file_that_cannot_be_read_is_refused(void **state)
{
    struct fixture *f = *state;
    assert_refused(f, "--config=/nowhere/confab.conf", "", "/nowhere/confab.conf");
    assert_refused(f, "", "CONFAB_CONFIG=/nowhere/confab.conf", "/nowhere/confab.conf");
    assert_refused(f, text_of("--config=%s", f->folder), "", f->folder);
}

/* ---- the file ---- */

static void a_file_has_comments_blanks_and_lines_without_an_end(void **state)
{
    struct fixture *f = *state;
    const char *file = file_flag(f, "# all of it\n\n  threads=16  \r\n\tdata =  /some/where\n"
                                    "api_key = a b = c\nlog_level = error");
    assert_int_equal(load(f, file, ""), OK);
    assert_int_equal(f->config.threads, 16);
    assert_string_equal(f->config.data, "/some/where");
    assert_string_equal(f->config.api_key, "a b = c");
    assert_int_equal(f->config.log_level, LEVEL_ERROR);
}

static void a_line_that_is_no_setting_is_refused(void **state)
{
    struct fixture *f = *state;
    assert_refused(f, file_flag(f, "threads 16\n"), "", "line 1: not a setting: 'threads 16'");
    assert_refused(f, file_flag(f, "\nthread = 16\n"), "", "line 2: not a setting: 'thread'");
    assert_refused(f, file_flag(f, "counts-flush = 5s\n"), "", "not a setting: 'counts-flush'");
}

/* ---- where things are ---- */

static void the_data_folder_holds_what_is_not_said_to_be_elsewhere(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(load(f, "--data=/here", ""), OK);
    assert_true(f->config.data_used);
    assert_string_equal(f->config.journal, "sqlite:/here/journal.db");
    assert_string_equal(f->config.store, "sqlite:/here/store.db");
    assert_string_equal(f->config.search, "sqlite:/here/search.db");
    assert_int_equal(load(f, "--data=/here --journal=sqlite:/there/j.db --search=none", ""), OK);
    assert_true(f->config.data_used); /* for the store */
    assert_string_equal(f->config.journal, "sqlite:/there/j.db");
    assert_string_equal(f->config.store, "sqlite:/here/store.db");
    assert_string_equal(f->config.search, "none");
    assert_int_equal(load(f, "--journal=sqlite:j --store=sqlite:s --search=none", ""), OK);
    assert_false(f->config.data_used);
}

static void a_database_is_a_file(void **state)
{
    struct fixture *f = *state;
    assert_refused(f, "--journal=sqlite:", "", "journal: 'sqlite:' does not name a file");
    assert_refused(f, "--store=sqlite::memory:", "", "store: 'sqlite::memory:' does not name");
}

static void an_address_that_is_not_one_is_refused_without_its_password(void **state)
{
    struct fixture *f = *state;
    assert_refused(f, "--journal=redis://:secret@host", "",
                   "journal: 'redis://:***@host' has no port");
    assert_null(strstr(f->complaints, "secret"));
    assert_refused(f, "", "CONFAB_STORE=mysql://u:secret@db:3306",
                   "store: 'mysql://u:***@db:3306'");
    assert_null(strstr(f->complaints, "secret"));
    assert_refused(f, "--search=http://u:secret@host:1/Index", "", "search: 'http://u:***@host:1");
    assert_null(strstr(f->complaints, "secret"));
    assert_refused(f, "--journal=redis://a:1 --store=mysql://u@b:1/d", "",
                   "search: 'sqlite:./confab-data/search.db' is a file");
}

static void without_a_file_no_folder_is_used(void **state)
{
    struct fixture *f = *state;
    const char *servers = "--journal=redis://a:1 --store=mysql://u@b:1/d --search=http://c:1/i";
    assert_int_equal(load(f, servers, ""), OK);
    assert_false(f->config.data_used);
    assert_int_equal(load(f, "--journal=redis://a:1 --search=none", ""), OK);
    assert_true(f->config.data_used); /* for the store */
}

static void the_number_of_shards_goes_by_the_journal_unless_it_is_said(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(load(f, "", ""), OK);
    assert_int_equal(f->config.shards, 1);
    assert_false(f->config.shards_chosen);
    assert_int_equal(load(f, "--journal=redis://a:1 --search=none", ""), OK);
    assert_int_equal(f->config.shards, 8);
    assert_false(f->config.shards_chosen);
    assert_int_equal(load(f, "--journal=redis://a:1 --search=none --shards=3", ""), OK);
    assert_int_equal(f->config.shards, 3);
    assert_true(f->config.shards_chosen);
    assert_refused(f, "--shards=257", "", "a number from 0 to 256");
}

static void an_address_is_ipv4_and_a_port(void **state)
{
    struct fixture *f = *state;
    static const char *const bad[] = {
        "nowhere", "1.2.3.4",       "1.2.3.4:",      "1.2.3.4:0",
        ":4000",   "1.2.3.4:99999", "1.2.3.4:4000x", "1.2.3.4.5:4000"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char flag[64];
        snprintf(flag, sizeof flag, "--listen=%s", bad[i]);
        assert_refused(f, flag, "", "an IPv4 address and a port");
    }
    assert_int_equal(load(f, "--listen=127.0.0.1:65535 --admin=", ""), OK);
    assert_string_equal(f->config.listen, "127.0.0.1:65535");
}

static void the_tables_for_people_list_every_setting(void **state)
{
    (void) state;
    char *help, *markdown;
    size_t size;
    FILE *file = open_memstream(&help, &size);
    config_print_help(file);
    fclose(file);
    file = open_memstream(&markdown, &size);
    config_print_markdown(file);
    fclose(file);
#define ASSERT_LISTED(name, kind, standard, smallest, greatest, text) \
    assert_non_null(strstr(help, text));                              \
    assert_non_null(strstr(markdown, "| `" #name "` |"));
    CONFIG_LIST(ASSERT_LISTED)
    assert_non_null(strstr(markdown, "| `counts_flush` | `--counts-flush` | `CONFAB_COUNTS_FLUSH` "
                                     "| `10s` |"));
    free(help);
    free(markdown);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(without_anything_defaults_stand),
        TEST(a_flag_wins_over_the_environment_and_that_over_the_file),
        TEST(the_last_of_equal_flags_wins),
        TEST(the_environment_may_name_the_file_and_a_flag_another),
        TEST(words_that_are_no_settings_stay),
        TEST(durations_have_units),
        TEST(sizes_have_units),
        TEST(values_have_bounds),
        TEST(what_is_no_such_value_is_refused),
        TEST(levels_have_names),
        TEST(a_complaint_names_where_the_value_came_from),
        TEST(a_file_that_cannot_be_read_is_refused),
        TEST(a_file_has_comments_blanks_and_lines_without_an_end),
        TEST(a_line_that_is_no_setting_is_refused),
        TEST(the_data_folder_holds_what_is_not_said_to_be_elsewhere),
        TEST(a_database_is_a_file),
        TEST(an_address_that_is_not_one_is_refused_without_its_password),
        TEST(without_a_file_no_folder_is_used),
        TEST(the_number_of_shards_goes_by_the_journal_unless_it_is_said),
        TEST(an_address_is_ipv4_and_a_port),
        TEST(the_tables_for_people_list_every_setting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
