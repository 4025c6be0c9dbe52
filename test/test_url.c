/* SPDX-License-Identifier: MIT */
/* test_url.c - what an address says, what is wrong with one, and what logs may show. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/url.h"

static const char *read_url(const char *text, struct url *ret_url)
{
    return url_read(text, strlen(text), ret_url);
}

static void assert_wrong(const char *why, const char *words)
{
    if (!why || !strstr(why, words))
        fail_msg("\"%s\" is not in: %s", words, why ? why : "(nothing is wrong)");
}

/* ---- reading ---- */

static void a_url_has_a_place_for_everything(void **state)
{
    (void) state;
    struct url url;
    assert_null(read_url("mysql://confab:secret@db.example:3306/chats?ssl=1", &url));
    assert_string_equal(url.scheme, "mysql");
    assert_string_equal(url.user, "confab");
    assert_string_equal(url.password, "secret");
    assert_string_equal(url.host, "db.example");
    assert_int_equal(url.port, 3306);
    assert_string_equal(url.path, "chats");
    assert_string_equal(url.parameters, "ssl=1");
}

static void what_is_left_out_is_empty(void **state)
{
    (void) state;
    struct url url;
    assert_null(read_url("redis://127.0.0.1:6379", &url));
    assert_string_equal(url.user, "");
    assert_string_equal(url.password, "");
    assert_string_equal(url.path, "");
    assert_null(read_url("redis://:secret@127.0.0.1:6379", &url));
    assert_string_equal(url.user, "");
    assert_string_equal(url.password, "secret");
}

static void user_password_and_path_are_decoded(void **state)
{
    (void) state;
    struct url url;
    assert_null(read_url("mysql://a%40b:p%3A%2F%25%40%2C@host:1/d%20b", &url));
    assert_string_equal(url.user, "a@b");
    assert_string_equal(url.password, "p:/%@,");
    assert_string_equal(url.path, "d b");
}

static void a_host_may_be_an_address_of_ipv6(void **state)
{
    (void) state;
    struct url url;
    assert_null(read_url("redis://[::1]:6379", &url));
    assert_string_equal(url.host, "::1");
    assert_int_equal(url.port, 6379);
    assert_wrong(read_url("redis://[::1:6379", &url), "no ]");
}

static void what_does_not_have_the_form_is_refused(void **state)
{
    (void) state;
    struct url url;
    assert_wrong(read_url("redis:127.0.0.1:6379", &url), "scheme and ://");
    assert_wrong(read_url("redis://", &url), "no host");
    assert_wrong(read_url("redis://:6379", &url), "no host");
    assert_wrong(read_url("redis://user:password@", &url), "no host");
    assert_wrong(read_url("redis://host", &url), "no port");
    assert_wrong(read_url("redis://host:", &url), "no port");
    assert_wrong(read_url("redis://host:0", &url), "no port");
    assert_wrong(read_url("redis://host:65536", &url), "no port");
    assert_wrong(read_url("redis://host:63x", &url), "no port");
    assert_wrong(read_url("redis://two words:1", &url), "no name and no address");
    assert_wrong(read_url("mysql://u:a@b@host:1/d", &url), "%40");
    assert_wrong(read_url("mysql://u:a/b@host:1/d", &url), "no port");
    assert_wrong(read_url("mysql://u:%4@host:1/d", &url), "two hexadecimal digits");
    assert_wrong(read_url("mysql://u:%00@host:1/d", &url), "two hexadecimal digits");
}

static void what_is_longer_than_it_may_be_is_refused(void **state)
{
    (void) state;
    struct url url;
    char text[2 * URL_PART_SIZE] = "redis://:";
    size_t length = strlen(text);
    memset(text + length, 'x', URL_PART_SIZE);
    memcpy(text + length + URL_PART_SIZE, "@host:1", 8);
    assert_wrong(read_url(text, &url), "too long");
    memcpy(text + length + URL_PART_SIZE - 1, "@host:1", 8);
    assert_null(read_url(text, &url));
    assert_int_equal(strlen(url.password), URL_PART_SIZE - 1);
}

/* ---- the settings ---- */

static void a_journal_is_a_file_or_redis(void **state)
{
    (void) state;
    assert_null(url_check_journal("sqlite:/var/lib/journal.db"));
    assert_null(url_check_journal("redis://127.0.0.1:6379"));
    assert_null(url_check_journal("redis://:secret@127.0.0.1:6379/2"));
    assert_null(url_check_journal("redis://a:1,redis://b:1,redis://a:2"));
    assert_wrong(url_check_journal("sqlite:"), "does not name a file");
    assert_wrong(url_check_journal("kafka://a:1"), "neither sqlite:PATH nor redis://");
    assert_wrong(url_check_journal("127.0.0.1:6379"), "neither sqlite:PATH nor redis://");
    assert_wrong(url_check_journal("redis://a:1/x"), "number of a database");
    assert_wrong(url_check_journal("redis://a:1?x=y"), "takes none");
    assert_wrong(url_check_journal("redis://secret@a:1"), ":password@");
}

static void the_servers_of_a_journal_are_all_redis_and_all_different(void **state)
{
    (void) state;
    assert_wrong(url_check_journal("redis://a:1,redis://b:1,redis://a:1"), "twice");
    assert_wrong(url_check_journal("redis://a:1,redis://:secret@a:1/3"), "twice");
    assert_wrong(url_check_journal("redis://a:1,"), "scheme");
    assert_wrong(url_check_journal("redis://a:1,,redis://b:1"), "scheme");
    assert_wrong(url_check_journal("redis://a:1,mysql://u@b:1/d"), "mixes");
    assert_wrong(url_check_journal("redis://a:1,sqlite:b"), "scheme");
    assert_wrong(url_check_journal("sqlite:a,redis://b:1"), "mixes");
}

static void a_store_is_a_file_or_mysql(void **state)
{
    (void) state;
    assert_null(url_check_store("sqlite:store.db"));
    assert_null(url_check_store("mysql://root@127.0.0.1:3306/confab"));
    assert_null(url_check_store("mysql://confab:secret@db:3306/confab?ssl=on"));
    assert_wrong(url_check_store("postgres://u:p@db:1/d"), "neither sqlite:PATH nor mysql://");
    assert_wrong(url_check_store("mysql://127.0.0.1:3306/confab"), "no user");
    assert_wrong(url_check_store("mysql://root@127.0.0.1:3306"), "no database");
    assert_wrong(url_check_store("mysql://root@127.0.0.1:3306/"), "no database");
    assert_wrong(url_check_store("mysql://root@127.0.0.1/confab"), "no port");
}

static void an_index_is_a_file_or_has_a_name_that_elasticsearch_takes(void **state)
{
    (void) state;
    assert_null(url_check_search("none"));
    assert_null(url_check_search("sqlite:search.db"));
    assert_null(url_check_search("http://127.0.0.1:9200/confab"));
    assert_null(url_check_search("https://u:p@search.example:9243/chats-2?shards=3"));
    assert_wrong(url_check_search("nothing"), "none of");
    assert_wrong(url_check_search("http://127.0.0.1:9200"), "no name of an index");
    assert_wrong(url_check_search("http://127.0.0.1:9200/"), "no name of an index");
    assert_wrong(url_check_search("http://127.0.0.1:9200/Confab"), "other characters");
    assert_wrong(url_check_search("http://127.0.0.1:9200/a/b"), "other characters");
    assert_wrong(url_check_search("http://127.0.0.1:9200/_all"), "begins with");
    assert_wrong(url_check_search("http://:9200/confab"), "no host");
}

static void servers_that_share_everything_share_the_index(void **state)
{
    (void) state;
    const char *redis = "redis://a:1", *mysql = "mysql://u@b:1/d", *file = "sqlite:f";
    assert_null(url_check_together(file, file, file));
    assert_null(url_check_together(redis, file, file));
    assert_null(url_check_together(file, mysql, file));
    assert_null(url_check_together(redis, mysql, "none"));
    assert_null(url_check_together(redis, mysql, "http://c:1/i"));
    assert_wrong(url_check_together(redis, mysql, file), "share");
}

/* ---- for logs ---- */

static void assert_public(const char *url, const char *expected)
{
    char public[URL_PUBLIC_SIZE];
    assert_string_equal(url_public(url, public), expected);
}

static void no_password_is_shown(void **state)
{
    (void) state;
    assert_public("redis://:secret@a:1/2", "redis://:***@a:1/2");
    assert_public("redis://:one@a:1,redis://b:1,redis://u:two@c:1",
                  "redis://:***@a:1,redis://b:1,redis://u:***@c:1");
    assert_public("mysql://confab:secret@db:3306/d", "mysql://confab:***@db:3306/d");
    assert_public("https://u:secret@host:1/index", "https://u:***@host:1/index");
}

static void a_password_that_should_have_been_encoded_is_not_shown_either(void **state)
{
    (void) state;
    assert_public("mysql://u:se/cr@et,s@db:1/d", "mysql://u:***@db:1/d");
    assert_public("redis://secret@a:1", "redis://***@a:1");
    assert_public("redis://:a,b@c@h:1,redis://:d/e@h:2", "redis://:***@h:1,redis://:***@h:2");
}

static void what_holds_no_password_is_shown_as_it_is(void **state)
{
    (void) state;
    assert_public("mysql://root@127.0.0.1:3306/d", "mysql://root@127.0.0.1:3306/d");
    assert_public("sqlite:/here/a@b,c.db", "sqlite:/here/a@b,c.db");
    assert_public("none", "none");
    assert_public("", "");
}

static void what_is_too_long_to_be_shown_is_cut(void **state)
{
    (void) state;
    char text[2 * URL_PUBLIC_SIZE] = "sqlite:", public[URL_PUBLIC_SIZE];
    memset(text + 7, 'x', sizeof text - 8);
    assert_int_equal(strlen(url_public(text, public)), URL_PUBLIC_SIZE - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_url_has_a_place_for_everything),
        cmocka_unit_test(what_is_left_out_is_empty),
        cmocka_unit_test(user_password_and_path_are_decoded),
        cmocka_unit_test(a_host_may_be_an_address_of_ipv6),
        cmocka_unit_test(what_does_not_have_the_form_is_refused),
        cmocka_unit_test(what_is_longer_than_it_may_be_is_refused),
        cmocka_unit_test(a_journal_is_a_file_or_redis),
        cmocka_unit_test(the_servers_of_a_journal_are_all_redis_and_all_different),
        cmocka_unit_test(a_store_is_a_file_or_mysql),
        cmocka_unit_test(an_index_is_a_file_or_has_a_name_that_elasticsearch_takes),
        cmocka_unit_test(servers_that_share_everything_share_the_index),
        cmocka_unit_test(no_password_is_shown),
        cmocka_unit_test(a_password_that_should_have_been_encoded_is_not_shown_either),
        cmocka_unit_test(what_holds_no_password_is_shown_as_it_is),
        cmocka_unit_test(what_is_too_long_to_be_shown_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
