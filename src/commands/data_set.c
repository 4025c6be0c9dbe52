/* SPDX-License-Identifier: MIT */
#include "commands/data_set.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "commands/files.h"
#include "common/text.h"
#include "storage/history.h"

/* ---- the folder ---- */

static status_t folder_make(const char *path)
{
    if (mkdir(path, 0750) == 0)
        return folder_sync_above(path) ? OK : ERR_CONFIG;
    if (errno == EEXIST)
        return OK;
    log_error("data_folder", "path=\"%s\" reason=\"cannot be made: %s\"", path, strerror(errno));
    return ERR_CONFIG;
}

/* Of the open file, not of the process: as with flock(), and it can be asked for
 * without being taken. It ends with the process, however that ends. */
static struct flock lock_of_all(void)
{
    return (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET};
}

/* Beside the journal's file, by whatever name it is called, since that is what may
 * have one writer only: a text to be freed, or NULL for a journal that many may
 * write to. */
static char *lock_file(const struct config *config)
{
    char *file;
    if (!text_has_scheme(config->journal, "sqlite"))
        return NULL;
    const char *path = config->journal + strlen("sqlite:");
    char *real = realpath(path, NULL); /* NULL: it is not there yet */
    if (asprintf(&file, "%s.lock", real ? real : path) < 0)
        abort();
    free(real);
    return file;
}

static status_t journal_lock(const struct config *config, int *ret_lock)
{
    struct flock all = lock_of_all();
    char *file = lock_file(config);
    status_t status = OK;
    int lock = file ? open(file, O_CREAT | O_RDWR | O_CLOEXEC, 0640) : -1;
    if (file && lock < 0) {
        log_error("data_folder", "path=\"%s\" reason=\"cannot be opened: %s\"", file,
                  strerror(errno));
        status = ERR_CONFIG;
    } else if (file && fcntl(lock, F_OFD_SETLK, &all) < 0) {
        log_error("data_folder_locked",
                  "path=\"%s\" reason=\"another confab process uses it\" do=\"stop that one, or "
                  "choose another folder with --data\"",
                  file);
        close(lock);
        status = ERR_LOCKED;
    } else {
        *ret_lock = lock;
    }
    free(file);
    return status;
}

bool data_set_in_use(const struct config *config)
{
    struct flock all = lock_of_all();
    char *file = lock_file(config);
    if (!file)
        return true;
    int lock = open(file, O_RDONLY | O_CLOEXEC);
    free(file);
    if (lock < 0)
        return false;
    bool in_use = fcntl(lock, F_OFD_GETLK, &all) == 0 && all.l_type != F_UNLCK;
    close(lock);
    return in_use;
}

/* ---- open ---- */

static status_t journal_part(data_set_t *self, enum data_set_mode mode)
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
    if (status != OK)
        log_error("journal_open", "url=\"%s\" status=%s reason=\"%s\" detail=\"%s\"",
                  self->config.journal, status_name(status), status_text(status),
                  journal_errmsg(self->journal));
    return status;
}

static status_t store_part(data_set_t *self, enum data_set_mode mode)
{
    char words[512] = "";
    status_t status = OK;
    if (mode >= DATA_SET_MEND)
        status = store_migrate(self->config.store, words, sizeof words);
    if (status == OK)
        status = store_open(self->config.store, mode == DATA_SET_READ, &self->store);
    if (status != OK)
        log_error("store_open", "url=\"%s\" status=%s reason=\"%s\" detail=\"%s\"%s",
                  self->config.store, status_name(status), status_text(status),
                  *words ? words : store_errmsg(self->store),
                  status == ERR_SCHEMA ? " do=\"confab migrate\"" : "");
    return status;
}

static status_t search_part(data_set_t *self, enum data_set_mode mode)
{
    if (strcmp(self->config.search, "none") == 0)
        return OK;
    status_t status = search_open(self->config.search, mode == DATA_SET_READ, &self->search);
    if (status != OK)
        log_error("search_open", "url=\"%s\" status=%s reason=\"%s\" detail=\"%s\"",
                  self->config.search, status_name(status), status_text(status),
                  search_errmsg(self->search));
    /* It stops nothing: whoever follows makes it anew. */
    else if (search_damage(self->search))
        log_error("index_damaged", "url=\"%s\" kept=\"%s.damaged\" reason=\"%s\"",
                  self->config.search, self->config.search, search_damage(self->search));
    return status;
}

/* A shard that cannot be made because it is closed can be served for reading, if
 * the store holds anything of it: data_set_check() says what is to be done. */
static status_t closed_shard_judge(data_set_t *self, unsigned shard)
{
    struct position position;
    bool found;
    status_t status = store_position(self->store, FOLLOWER_PERSISTENCE, shard, &position, &found);
    return status == OK && !found ? ERR_CLOSED : status;
}

/* Finds the data set, or makes it; its number of shards is what counts. */
static status_t shards_part(data_set_t *self, enum data_set_mode mode)
{
    struct data_set found_set = {.id = journal_random(), .shards = (uint32_t) self->config.shards};
    struct history_reason reason = {""};
    bool found = false;
    status_t status = history_data_set(self->journal, self->store, &found_set, &found, &reason);
    if (status == OK && !found && mode != DATA_SET_MAKE) {
        log_error("data_set",
                  "journal=\"%s\" reason=\"it holds no data\" do=\"confab serve makes "
                  "a new data set; or is the address wrong?\"",
                  self->config.journal);
        return ERR_CONFIG;
    }
    if (status == OK && found && found_set.shards != self->config.shards)
        log_info("shards", "configured=%llu used=%u reason=\"fixed when the data set was made\"",
                 (unsigned long long) self->config.shards, found_set.shards);
    if (status == OK)
        self->config.shards = found_set.shards;
    for (unsigned shard = 0; status == OK && mode == DATA_SET_MAKE && shard < self->config.shards;
         shard++) {
        status = history_make(self->journal, self->store, shard, &found_set, self->search != NULL,
                              &reason);
        if (status == ERR_CLOSED)
            status = closed_shard_judge(self, shard);
    }
    if (status != OK)
        log_error("data_set", "status=%s reason=\"%s\"", status_name(status), reason.text);
    return status;
}

status_t data_set_open(const struct config *config, enum data_set_mode mode,
                       data_set_t **ret_data_set)
{
    data_set_t *self = (data_set_t *) calloc(1, sizeof *self);
    assert(self);
    self->config = *config;
    self->lock = -1;
    status_t status = OK;
    if (config->data_used && mode == DATA_SET_MAKE)
        status = folder_make(config->data);
    if (status == OK && mode != DATA_SET_READ) {
        status = journal_lock(config, &self->lock);
        self->run = journal_random();
    }
    if (status == OK)
        status = journal_part(self, mode);
    if (status == OK)
        status = store_part(self, mode);
    if (status == OK)
        status = search_part(self, mode);
    if (status == OK)
        status = shards_part(self, mode);
    if (status != OK) {
        data_set_close(&self);
        return status;
    }
    *ret_data_set = self;
    return OK;
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
        if (status != OK) {
            log_error("history_check", "shard=%u status=%s reason=\"%s\"", shard,
                      status_name(status), reason.text);
            if (worst == OK || worst == ERR_CLOSED)
                worst = status; /* a closed shard can be served, others cannot */
        }
    }
    return worst;
}
