/* SPDX-License-Identifier: MIT */
#include "commands/data_set.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "commands/advice.h"
#include "commands/files.h"
#include "common/text.h"
#include "common/url.h"
#include "storage/history.h"

enum { TRIES_MAX = 20 }; /* as often may others make the data set while we do */

/* ---- the folder ---- */

/* Of the open file, not of the process: as with flock(), and it can be asked for
 * without being taken. It ends with the process, however that ends. */
static struct flock lock_of_all(void)
{
    return (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET};
}

/* Beside the journal's file, by whatever name it is called, since that is what may
 * have one writer only; or the store's, if the journal is a server: a text to be
 * freed, or NULL where many may write. */
static char *lock_file(const struct config *config)
{
    char *file;
    const char *url = text_has_scheme(config->journal, "sqlite") ? config->journal : config->store;
    if (!text_has_scheme(url, "sqlite"))
        return NULL;
    const char *path = url + strlen("sqlite:");
    char *real = realpath(path, NULL); /* NULL: it is not there yet */
    if (asprintf(&file, "%s.lock", real ? real : path) < 0)
        abort();
    free(real);
    return file;
}

bool data_set_shared(const struct config *config)
{
    return !text_has_scheme(config->journal, "sqlite") && !text_has_scheme(config->store, "sqlite");
}

/* What went wrong, for whoever tells it. */
static status_t problem_say(struct data_set_problem *problem, const char *event, status_t status,
                            const char *format, ...) __attribute__((format(printf, 4, 5)));

static status_t problem_say(struct data_set_problem *problem, const char *event, status_t status,
                            const char *format, ...)
{
    va_list arguments;
    problem->event = event;
    va_start(arguments, format);
    vsnprintf(problem->words, sizeof problem->words, format, arguments);
    va_end(arguments);
    return status;
}

static status_t folder_make(const char *path, struct data_set_problem *problem)
{
    if (mkdir(path, 0750) == 0)
        return folder_sync_above(path)
                   ? OK
                   : problem_say(problem, "data_folder", ERR_CONFIG,
                                 "path=\"%s\" reason=\"not on disk: %s\"", path, strerror(errno));
    if (errno == EEXIST)
        return OK;
    return problem_say(problem, "data_folder", ERR_CONFIG,
                       "path=\"%s\" reason=\"cannot be made: %s\"", path, strerror(errno));
}

static status_t folder_lock(const struct config *config, int *ret_lock,
                            struct data_set_problem *problem)
{
    struct flock all = lock_of_all();
    char *file = lock_file(config);
    status_t status = OK;
    int lock = file ? open(file, O_CREAT | O_RDWR | O_CLOEXEC, 0640) : -1;
    if (file && lock < 0) {
        status = problem_say(problem, "data_folder", ERR_CONFIG,
                             "path=\"%s\" reason=\"cannot be opened: %s\"", file, strerror(errno));
    } else if (file && fcntl(lock, F_OFD_SETLK, &all) < 0) {
        status = problem_say(problem, "data_folder_locked", ERR_LOCKED,
                             "path=\"%s\" reason=\"another confab process uses it\" do=\"stop that "
                             "one, or choose another folder with --data\"",
                             file);
        close(lock);
    } else {
        *ret_lock = lock;
    }
    free(file);
    return status;
}

static bool lock_held(const char *file)
{
    struct flock all = lock_of_all();
    int lock = open(file, O_RDONLY | O_CLOEXEC);
    if (lock < 0)
        return false;
    bool held = fcntl(lock, F_OFD_GETLK, &all) == 0 && all.l_type != F_UNLCK;
    close(lock);
    return held;
}

/* ---- is it served? ---- */

status_t data_set_shard_served(data_set_t *self, unsigned shard, bool *ret_served)
{
    char *file = lock_file(&self->config);
    if (file) {
        *ret_served = self->lock < 0 && lock_held(file);
        free(file);
        return OK;
    }
    int64_t until = 0, now = 0;
    status_t status = store_lease_until(self->store, FOLLOWER_PERSISTENCE, shard, &until, &now);
    if (status == OK)
        *ret_served = until > now;
    return status;
}

status_t data_set_served(data_set_t *self, bool *ret_served)
{
    status_t status = OK;
    bool served = false;
    for (unsigned shard = 0; status == OK && !served && shard < self->config.shards; shard++)
        status = data_set_shard_served(self, shard, &served);
    if (status == OK)
        *ret_served = served;
    return status;
}

/* ---- open ---- */

/* A part that cannot be opened, or asked. */
static status_t part_failed(const char *event, enum advice_part part, const char *url,
                            status_t status, const char *detail, struct data_set_problem *problem)
{
    char public[URL_PUBLIC_SIZE];
    struct advice advice = advice_about(part, !text_has_scheme(url, "sqlite"), status, detail);
    problem->passing = advice.passing;
    return problem_say(
        problem, event, status, "url=\"%s\" status=%s reason=\"%s\" detail=\"%s\" do=\"%s\"",
        url_public(url, public), status_name(status), status_text(status), detail, advice.todo);
}

static status_t journal_part(data_set_t *self, enum data_set_mode mode,
                             struct data_set_problem *problem)
{
    const struct journal_options options = {
        .url = self->config.journal,
        .read_only = mode == DATA_SET_READ,
        .run = self->run,
        .keys_max = self->config.keys_max,
        .backlog_records_max = self->config.backlog_records,
        .backlog_bytes_max = self->config.backlog_bytes,
    };
    status_t status = journal_open(&options, &self->journal);
    return status == OK ? OK
                        : part_failed("journal_open", ADVICE_JOURNAL, self->config.journal, status,
                                      journal_errmsg(self->journal), problem);
}

/* Tables that are as they should be need no rights to make any. */
static status_t store_part(data_set_t *self, enum data_set_mode mode,
                           struct data_set_problem *problem)
{
    char words[512] = "";
    const char *url = self->config.store;
    status_t status = store_open(url, mode == DATA_SET_READ, &self->store);
    if (status == ERR_SCHEMA && mode >= DATA_SET_MEND) {
        status = store_migrate(url, words, sizeof words);
        if (status == OK)
            status = store_open(url, false, &self->store);
    }
    return status == OK ? OK
                        : part_failed("store_open", ADVICE_STORE, url, status,
                                      *words ? words : store_errmsg(self->store), problem);
}

static status_t search_part(data_set_t *self, enum data_set_mode mode,
                            struct data_set_problem *problem)
{
    const char *url = self->config.search;
    if (strcmp(url, "none") == 0)
        return OK;
    status_t status = search_open(url, mode == DATA_SET_READ, &self->search);
    if (status != OK)
        return part_failed("search_open", ADVICE_SEARCH, url, status, search_errmsg(self->search),
                           problem);
    /* It stops nothing: whoever follows makes it anew. */
    if (search_damage(self->search))
        log_error("index_damaged", "url=\"%s\" kept=\"%s.damaged\" reason=\"%s\"", url, url,
                  search_damage(self->search));
    return OK;
}

/* ---- which data set ---- */

/* A shard that cannot be made because it is closed can be served for reading, if
 * the store holds anything of it: data_set_check() says what is to be done. */
static status_t closed_shard_judge(data_set_t *self, unsigned shard)
{
    struct position position;
    bool found;
    status_t status = store_position(self->store, FOLLOWER_PERSISTENCE, shard, &position, &found);
    return status == OK && !found ? ERR_CLOSED : status;
}

/* Some of the journal's servers do not answer: the store tells what data set this is,
 * if the others agree. ERR_JOURNAL: none of them answers, or the store is new. */
static status_t rest_find(data_set_t *self, struct data_set *ret_set, bool *ret_found)
{
    struct data_set set = {0};
    unsigned shards = 0, away = 0;
    bool known = false;
    status_t status = store_data_set(self->store, &set.id, &shards, &known);
    if (status == OK && !known)
        status = ERR_JOURNAL;
    set.shards = shards;
    for (unsigned shard = 0; status == OK && shard < shards; shard++) {
        struct journal_meta meta = {0};
        bool found = false;
        status = journal_meta(self->journal, shard, &meta, &found);
        away += status == ERR_JOURNAL;
        if (status == ERR_JOURNAL)
            status = OK;
        if (status == OK && found && meta.data_set != 0 && meta.data_set != set.id)
            status = ERR_CONFIG; /* 0: closed where nothing was */
    }
    if (status == OK && away == shards)
        status = ERR_JOURNAL;
    if (status != OK)
        return status;
    self->partly = away > 0;
    *ret_set = set;
    *ret_found = true;
    return OK;
}

static status_t set_find(data_set_t *self, struct data_set *ret_set, bool *ret_found,
                         struct history_reason *ret_reason)
{
    status_t status = history_data_set(self->journal, self->store, ret_set, ret_found, ret_reason);
    return status == ERR_JOURNAL && journal_servers(self->journal) > 1
               ? rest_find(self, ret_set, ret_found)
               : status;
}

static status_t shards_make(data_set_t *self, const struct data_set *set,
                            struct history_reason *ret_reason)
{
    status_t status = OK;
    for (unsigned shard = 0; status == OK && shard < self->config.shards; shard++) {
        status = history_make(self->journal, self->store, shard, set, self->search != NULL,
                              ret_reason);
        if (status == ERR_CLOSED)
            status = closed_shard_judge(self, shard);
        if (status == ERR_JOURNAL && self->partly)
            status = OK;
    }
    return status;
}

/* Finds the data set, or makes it; its number of shards is what counts. ERR_CONFLICT:
 * another server was making one at the same moment, look again. */
static status_t shards_once(data_set_t *self, enum data_set_mode mode,
                            struct history_reason *ret_reason)
{
    struct data_set set = {.id = journal_random(), .shards = (uint32_t) self->config.shards};
    bool found = false;
    status_t status = set_find(self, &set, &found, ret_reason);
    if (status == OK && !found && mode != DATA_SET_MAKE) {
        snprintf(ret_reason->text, sizeof ret_reason->text,
                 "It holds no data; `confab serve` makes a new data set. Or is the address wrong?");
        status = ERR_CONFIG;
    }
    if (status == OK && found && self->config.shards_chosen && set.shards != self->config.shards)
        log_info("shards", "configured=%llu used=%u reason=\"fixed when the data set was made\"",
                 (unsigned long long) self->config.shards, set.shards);
    if (status != OK)
        return status;
    self->config.shards = set.shards;
    if (mode != DATA_SET_MAKE)
        return OK;
    status = shards_make(self, &set, ret_reason);
    return status == ERR_CONFIG && !found && data_set_shared(&self->config) ? ERR_CONFLICT : status;
}

static status_t shards_part(data_set_t *self, enum data_set_mode mode,
                            struct data_set_problem *problem)
{
    const unsigned shards = (unsigned) self->config.shards;
    struct history_reason reason = {""};
    status_t status = ERR_CONFLICT;
    for (int i = 0; status == ERR_CONFLICT && i < TRIES_MAX; i++) {
        self->config.shards = shards;
        status = shards_once(self, mode, &reason);
    }
    if (status == ERR_JOURNAL)
        return part_failed("data_set", ADVICE_JOURNAL, self->config.journal, status,
                           journal_errmsg(self->journal), problem);
    if (status == ERR_STORE)
        return part_failed("data_set", ADVICE_STORE, self->config.store, status,
                           store_errmsg(self->store), problem);
    char public[URL_PUBLIC_SIZE];
    return status == OK
               ? OK
               : problem_say(problem, "data_set", status, "journal=\"%s\" status=%s reason=\"%s\"",
                             url_public(self->config.journal, public), status_name(status),
                             reason.text);
}

status_t data_set_try(const struct config *config, enum data_set_mode mode,
                      data_set_t **ret_data_set, struct data_set_problem *ret_problem)
{
    data_set_t *self = (data_set_t *) calloc(1, sizeof *self);
    assert(self);
    *ret_problem = (struct data_set_problem){.event = "data_set"};
    self->config = *config;
    self->lock = -1;
    status_t status = OK;
    if (config->data_used && mode == DATA_SET_MAKE)
        status = folder_make(config->data, ret_problem);
    if (status == OK && mode != DATA_SET_READ) {
        status = folder_lock(config, &self->lock, ret_problem);
        self->run = journal_random();
    }
    if (status == OK)
        status = journal_part(self, mode, ret_problem);
    if (status == OK)
        status = store_part(self, mode, ret_problem);
    if (status == OK)
        status = search_part(self, mode, ret_problem);
    if (status == OK)
        status = shards_part(self, mode, ret_problem);
    if (status != OK) {
        data_set_close(&self);
        return status;
    }
    *ret_data_set = self;
    return OK;
}

status_t data_set_open(const struct config *config, enum data_set_mode mode,
                       data_set_t **ret_data_set)
{
    struct data_set_problem problem;
    status_t status = data_set_try(config, mode, ret_data_set, &problem);
    if (status != OK)
        log_error(problem.event, "%s", problem.words);
    return status;
}

void data_set_close(data_set_t **data_set_p)
{
    data_set_t *self = *data_set_p;
    if (!self)
        return;
    search_close(&self->search);
    store_close(&self->store);
    journal_close(&self->journal);
    if (self->lock >= 0)
        close(self->lock);
    free(self);
    *data_set_p = NULL;
}

status_t data_set_check(data_set_t *data_set)
{
    status_t worst = OK;
    for (unsigned shard = 0; shard < data_set->config.shards; shard++) {
        struct history_reason reason = {""};
        status_t status = history_check(data_set->journal, data_set->store, shard, NULL, &reason);
        bool away = status == ERR_JOURNAL && data_set->partly;
        if (status != OK)
            log_error("history_check", "shard=%u status=%s reason=\"%s\"", shard,
                      status_name(status), reason.text);
        if (status != OK && !away && (worst == OK || worst == ERR_CLOSED))
            worst = status; /* a closed shard can be served, others cannot */
    }
    return worst;
}
