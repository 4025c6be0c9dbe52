/* SPDX-License-Identifier: MIT */
/* test_actors.c - whatever fails and whoever is restarted, what was acknowledged holds.
 *
 * Random operations through the real actors while the databases fail at random and
 * actors come and go, beside a model that knows what was acknowledged. Creations
 * carry keys and are repeated until their outcome is known, as careful clients do;
 * some do without, and then both outcomes are right. At the end all is healed, and
 * log, store, index and counts must be what the model says.
 *
 * Each run tells its seed: CONFAB_TEST_SEED=n repeats it, CONFAB_TEST_SEEDS=n runs n.
 */
#include "actors.h"

#include <stdlib.h>

enum { SEEDS = 10, STEPS = 150, WAIT_MS = 200 };
enum { APPLICATIONS_MAX = 6, CHATS_MAX = 12, MESSAGES_MAX = 600, BURST_MAX = 30 };

struct model_message {
    bool lives;
    char body[32];
};

struct model_chat {
    bool lives;
    uint64_t last;
    struct model_message messages[MESSAGES_MAX + 1]; /* by number */
};

struct model_application {
    bool lives;
    char token[32];
    uint64_t last;
    struct model_chat chats[CHATS_MAX + 1];
};

struct model {
    struct actors *f;
    uint64_t seed, key;
    unsigned random, words;
    size_t count;
    struct model_application applications[APPLICATIONS_MAX];
};

/* ---- chance ---- */

static uint64_t draw(struct model *model, uint64_t below)
{
    return (uint64_t) rand_r(&model->random) % below;
}

static struct model_application *draw_application(struct model *model)
{
    return &model->applications[draw(model, model->count)];
}

/* A number of a chat that there is, was, or never was. */
static uint64_t draw_number(struct model *model, uint64_t last)
{
    return draw(model, last + 2) + (draw(model, 20) > 0);
}

/* Every body is another one; a third of them hold the word that is searched for. */
static void draw_body(struct model *model, char body[32])
{
    snprintf(body, 32, "%s %u", draw(model, 3) ? "something" : "a Needle", ++model->words);
}

static void draw_fault(struct model *model)
{
    static const char *const files[] = {"journal.db", "store.db", "search.db"};
    enum fault fault = (enum fault) draw(model, FAULT_COUNT);
    fake_sql_fail(fault, files[draw(model, 3)], (int) draw(model, 6), 1 + (int) draw(model, 3));
}

/* ---- asking until the outcome is known ---- */

static bool is_final(status_t status)
{
    return status == OK || status == ERR_APPLICATION_NOT_FOUND || status == ERR_CHAT_NOT_FOUND ||
           status == ERR_MESSAGE_NOT_FOUND;
}

/* For what may be carried out twice without harm, or carries a key. */
static status_t insist(struct model *model, struct request request)
{
    request.wait_ms_max = WAIT_MS;
    for (int tries = 0; !is_final(ask(model->f, &request)); tries++)
        if (tries > 5)
            fake_sql_heal();
    return model->f->reply.status;
}

static struct request keyed(struct model *model, struct request request)
{
    model->key++;
    return request_keyed(request, model->seed << 32 | model->key, model->key);
}

/* What the journal should say of a change in that place. */
static status_t place_status(const struct model_application *application, uint64_t chat,
                             uint64_t number)
{
    if (!application->lives)
        return ERR_APPLICATION_NOT_FOUND;
    if (chat == 0 || chat > application->last || !application->chats[chat].lives)
        return ERR_CHAT_NOT_FOUND;
    return number == 0 || number > application->chats[chat].last ? ERR_MESSAGE_NOT_FOUND : OK;
}

/* ---- steps ---- */

static void step_application(struct model *model)
{
    if (model->count == APPLICATIONS_MAX)
        return;
    struct model_application *application = &model->applications[model->count++];
    snprintf(application->token, sizeof application->token, "application-%zu", model->count);
    application->lives = true;
    assert_int_equal(insist(model, keyed(model, request_of(REQUEST_APPLICATION_CREATE,
                                                           application->token, 0, 0, "name"))),
                     OK);
}

static void step_chat(struct model *model)
{
    struct model_application *application = draw_application(model);
    if (application->last == CHATS_MAX)
        return;
    struct request request = request_of(REQUEST_CHAT_CREATE, application->token, 0, 0, "name");
    status_t status = insist(model, keyed(model, request));
    assert_int_equal(status, application->lives ? OK : ERR_APPLICATION_NOT_FOUND);
    if (status != OK)
        return;
    assert_int_equal(model->f->reply.number, application->last + 1);
    application->chats[++application->last].lives = true;
}

static void message_add(struct model_chat *chat, uint64_t number, const char *body)
{
    assert_in_range(number, 1, MESSAGES_MAX);
    assert_false(chat->messages[number].lives);
    chat->messages[number].lives = true;
    snprintf(chat->messages[number].body, sizeof chat->messages[number].body, "%s", body);
}

/* Many at once into one chat, each with a key; those that failed go again. */
static void step_burst(struct model *model)
{
    struct model_application *application = draw_application(model);
    uint64_t number = draw_number(model, application->last);
    status_t expected = place_status(application, number, 0);
    struct model_chat *chat = expected == ERR_MESSAGE_NOT_FOUND ? &application->chats[number]
                                                                : NULL;
    struct request requests[BURST_MAX];
    static char bodies[BURST_MAX][32];
    uint64_t ids[BURST_MAX], count = 1 + draw(model, BURST_MAX);
    if (chat && chat->last + count > MESSAGES_MAX)
        return;
    for (uint64_t i = 0; i < count; i++) {
        draw_body(model, bodies[i]);
        requests[i] = keyed(
            model, request_of(REQUEST_MESSAGE_CREATE, application->token, number, 0, bodies[i]));
        requests[i].wait_ms_max = WAIT_MS;
        ids[i] = request_send(model->f, &requests[i]);
    }
    for (uint64_t left = count; left > 0;) {
        uint64_t which = 0;
        reply_wait(model->f, NUMBERING);
        struct reply reply = model->f->reply;
        while (ids[which] != reply.id)
            assert_true(++which < count);
        if (!is_final(reply.status)) {
            if (draw(model, 8) == 0)
                fake_sql_heal();
            ids[which] = request_send(model->f, &requests[which]);
            continue;
        }
        left--;
        assert_int_equal(reply.status, chat ? OK : expected);
        if (chat)
            message_add(chat, reply.number, bodies[which]);
    }
    for (uint64_t i = 0; chat && i < count; i++) /* dense: each of the next is there */
        assert_true(chat->messages[++chat->last].lives);
}

/* One without a key. If its outcome is unknown, the number that the next one gets tells. */
static void step_message(struct model *model)
{
    struct model_application *application = draw_application(model);
    uint64_t number = draw_number(model, application->last);
    if (place_status(application, number, 0) != ERR_MESSAGE_NOT_FOUND)
        return;
    struct model_chat *chat = &application->chats[number];
    if (chat->last + 2 > MESSAGES_MAX)
        return;
    char body[32], next[32];
    draw_body(model, body);
    struct request request = request_of(REQUEST_MESSAGE_CREATE, application->token, number, 0,
                                        body);
    request.wait_ms_max = WAIT_MS;
    status_t status = ask(model->f, &request);
    if (status == OK) {
        assert_int_equal(model->f->reply.number, chat->last + 1);
        message_add(chat, ++chat->last, body);
    }
    if (status != ERR_OUTCOME_UNKNOWN)
        return;
    draw_body(model, next);
    request = request_of(REQUEST_MESSAGE_CREATE, application->token, number, 0, next);
    assert_int_equal(insist(model, keyed(model, request)), OK);
    assert_in_range(model->f->reply.number, chat->last + 1, chat->last + 2);
    if (model->f->reply.number == chat->last + 2)
        message_add(chat, ++chat->last, body);
    message_add(chat, ++chat->last, next);
}

static void step_change(struct model *model)
{
    struct model_application *application = draw_application(model);
    uint64_t chat = draw_number(model, application->last);
    uint64_t last = chat <= application->last ? application->chats[chat].last : 0;
    uint64_t number = draw_number(model, last);
    bool edit = draw(model, 2);
    char body[32];
    draw_body(model, body);
    status_t status = insist(model, request_of(edit ? REQUEST_MESSAGE_EDIT : REQUEST_MESSAGE_DELETE,
                                               application->token, chat, number, body));
    assert_int_equal(status, place_status(application, chat, number));
    if (status != OK)
        return;
    struct model_message *message = &application->chats[chat].messages[number];
    if (!edit)
        message->lives = false;
    else if (message->lives)
        snprintf(message->body, sizeof message->body, "%s", body);
}

static void step_deletion(struct model *model)
{
    struct model_application *application = draw_application(model);
    uint64_t chat = draw(model, 4) ? draw_number(model, application->last) : 0;
    status_t status = insist(model,
                             request_of(chat ? REQUEST_CHAT_DELETE : REQUEST_APPLICATION_DELETE,
                                        application->token, chat, 0, NULL));
    if (chat == 0) {
        assert_int_equal(status, OK);
        application->lives = false;
        return;
    }
    bool ever = application->lives && chat <= application->last;
    assert_int_equal(status, ever                 ? OK
                             : application->lives ? ERR_CHAT_NOT_FOUND
                                                  : ERR_APPLICATION_NOT_FOUND);
    if (ever)
        application->chats[chat].lives = false;
}

static void item_check(struct item item, const struct model_message *message)
{
    assert_true(message->lives);
    assert_int_equal(item.text_length, strlen(message->body));
    assert_memory_equal(item.text, message->body, item.text_length);
}

/* A read is right, or says that it cannot be. */
static void step_read(struct model *model)
{
    struct model_application *application = draw_application(model);
    uint64_t chat = draw_number(model, application->last);
    uint64_t last = chat <= application->last ? application->chats[chat].last : 0;
    uint64_t number = draw_number(model, last);
    struct request request = request_of(REQUEST_MESSAGE, application->token, chat, number, NULL);
    request.wait_ms_max = WAIT_MS;
    request.stale_allowed = draw(model, 2);
    status_t status = ask(model->f, &request), expected = place_status(application, chat, number);
    const struct model_message *message = NULL;
    if (expected == OK) {
        message = &application->chats[chat].messages[number];
        expected = message->lives ? OK : ERR_MESSAGE_NOT_FOUND;
    }
    if (model->f->reply.behind != BEHIND_NOT || (status != OK && !is_final(status)))
        return;
    assert_int_equal(status, expected);
    if (status == OK)
        item_check(reply_item(model->f), message);
}

static void step_actor(struct model *model)
{
    status_t status;
    enum actor_kind kind = (enum actor_kind) draw(model, ACTOR_COUNT);
    actor_stop(model->f, kind);
    while (!actor_try(model->f, kind, &status))
        fake_sql_heal();
}

static void step_process(struct model *model)
{
    fake_sql_heal();
    actors_reopen(model->f);
    actors_run(model->f);
}

static void step(struct model *model)
{
    static const struct {
        uint64_t weight;
        void (*step)(struct model *model);
    } steps[] = {{4, step_application}, {10, step_chat},   {18, step_burst},
                 {10, step_message},    {18, step_change}, {4, step_deletion},
                 {28, step_read},       {7, step_actor},   {1, step_process}};
    if (draw(model, 3) == 0)
        draw_fault(model);
    if (draw(model, 4) == 0)
        fake_sql_heal();
    size_t which = 0;
    for (uint64_t chance = draw(model, 100); chance >= steps[which].weight; which++)
        chance -= steps[which].weight;
    steps[which].step(model);
}

/* ---- the end ---- */

/* The chat's messages, all or only those with the needle, as the API gives them. */
static void chat_check(struct actors *f, const char *token, uint64_t number,
                       const struct model_chat *chat, bool search)
{
    uint64_t expected = 0;
    for (uint64_t i = 1; i <= chat->last; i++)
        expected += chat->messages[i].lives &&
                    (!search || strstr(chat->messages[i].body, "Needle"));
    struct request request = request_of(search ? REQUEST_SEARCH : REQUEST_MESSAGES, token, number,
                                        0, search ? "needlE" : NULL);
    request.limit = 1000;
    assert_int_equal(ask(f, &request), OK);
    assert_int_equal(f->reply.item_count, expected);
    assert_true(!search || f->reply.complete);
    struct bytes_reader reader = bytes_reader(f->reply.items, f->reply.items_length);
    for (uint32_t i = 0; i < f->reply.item_count; i++) {
        struct item item;
        assert_int_equal(item_decode(&reader, &item), OK);
        assert_in_range(item.number, 1, chat->last);
        item_check(item, &chat->messages[item.number]);
    }
    request = request_of(REQUEST_CHAT, token, number, 0, NULL);
    assert_int_equal(ask(f, &request), OK);
    assert_int_equal(reply_item(f).last, chat->last);
    assert_true(search || reply_item(f).count == expected);
}

static void application_check(struct actors *f, const struct model_application *application)
{
    struct request request = request_of(REQUEST_APPLICATION, application->token, 0, 0, NULL);
    uint64_t chats = 0;
    for (uint64_t number = 1; number <= application->last; number++) {
        const struct model_chat *chat = &application->chats[number];
        chats += chat->lives;
        for (int search = 0; application->lives && chat->lives && search < 2; search++)
            chat_check(f, application->token, number, chat, search);
    }
    assert_int_equal(ask(f, &request), application->lives ? OK : ERR_APPLICATION_NOT_FOUND);
    if (!application->lives)
        return;
    assert_int_equal(reply_item(f).last, application->last);
    assert_int_equal(reply_item(f).count, chats);
}

static void everything_check(struct model *model)
{
    struct actors *f = model->f;
    fake_sql_heal();
    actors_reopen(f);
    actors_run(f);
    follower_wait(f, FOLLOWER_PERSISTENCE);
    follower_wait(f, FOLLOWER_INDEXING);
    follower_wait(f, FOLLOWER_COUNTING);
    WAIT_FOR(file_number(f, STORE_FILE, "SELECT COUNT(*) FROM purges") == 0);
    assert_int_equal(file_number(f, STORE_FILE, "SELECT COUNT(*) FROM dead_records"), 0);
    for (size_t i = 0; i < model->count; i++)
        application_check(f, &model->applications[i]);
    store_check(f);
    index_check(f);
}

static void run(struct actors *f, uint64_t seed)
{
    struct model *model = (struct model *) calloc(1, sizeof *model);
    assert_non_null(model);
    *model = (struct model){.f = f, .seed = seed, .random = (unsigned) seed};
    print_message("seed %llu\n", (unsigned long long) seed);
    actors_run(f);
    step_application(model);
    for (int i = 0; i < STEPS; i++)
        step(model);
    everything_check(model);
    free(model);
}

static void what_was_acknowledged_holds_whatever_fails(void **state)
{
    const char *one = getenv("CONFAB_TEST_SEED"), *many = getenv("CONFAB_TEST_SEEDS");
    uint64_t first = one ? strtoull(one, NULL, 10) : 1;
    uint64_t count = one ? 1 : many ? strtoull(many, NULL, 10) : SEEDS;
    for (uint64_t seed = first; seed < first + count; seed++) {
        (seed % 2 ? actors_set_up : actors_set_up_sharded)(state);
        run((struct actors *) *state, seed);
        actors_tear_down(state);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_acknowledged_holds_whatever_fails),
    };
    return cmocka_run_group_tests(tests, actors_prepare, actors_finish) ? 1 : 0;
}
