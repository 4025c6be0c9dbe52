/* SPDX-License-Identifier: MIT */
/* backup.c - confab backup: a copy of the data set that can be served.
 *
 *     hold the log ─▶ index ─▶ store ─▶ log ─▶ let the log go
 *
 * In this order no copy stands behind what a later one lacks. A thread copies, so
 * that a signal can be answered at once: the log must not stay held.
 */
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "commands/command.h"
#include "commands/data_set.h"
#include "commands/files.h"
#include "commands/hold_log.h"
#include "commands/options.h"
#include "common/text.h"

const char command_backup_help[] =
    "confab backup copies the data set into FOLDER, which is made, or is there and empty.\n"
    "The copy is a data folder: serve it with --data FOLDER. It holds everything that was\n"
    "acknowledged before the backup began.\n"
    "\n"
    "For the embedded stack; where a part is a server of its own, use `confab hold` and that\n"
    "server's own tools.\n"
    "\n"
    "Works beside a server, or without one. The log is not trimmed meanwhile; if this is\n"
    "killed so hard that it cannot let the log go, `confab release` does it.\n"
    "\n"
    "Usage: confab backup FOLDER\n"
    "\n"
    "Exit: 0 done; 1 could not, nothing is left in FOLDER; 2 called in the wrong way.\n"
    "\n"
    "Example: confab backup /backup/2026-11-24 --data /var/lib/confab\n";

enum { LOOK_MS = 50 };

struct copying {
    data_set_t *data_set;
    const char *folder;
    bool made; /* the folder, by us */
    status_t status;
    _Atomic bool done;
};

/* ---- the folder ---- */

static char *path_in(const char *folder, const char *name)
{
    char *path;
    if (asprintf(&path, "%s/%s", folder, name) < 0)
        abort();
    return path;
}

static bool folder_empty(const char *folder)
{
    DIR *list = opendir(folder);
    if (!list)
        return false;
    struct dirent *entry;
    size_t count = 0;
    while ((entry = readdir(list)))
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    closedir(list);
    if (count > 0)
        errno = ENOTEMPTY;
    return count == 0;
}

static bool folder_make(struct copying *copying)
{
    copying->made = mkdir(copying->folder, 0750) == 0;
    if (copying->made || (errno == EEXIST && folder_empty(copying->folder)))
        return true;
    fprintf(stderr, "confab backup: %s cannot be used: %s\n", copying->folder, strerror(errno));
    return false;
}

/* What was copied so far is of no use to anybody. */
static void folder_clear(const struct copying *copying)
{
    static const char *const names[] = {"search.db", "store.db", "journal.db"};
    static const char *const endings[] = {"", "-wal", "-shm", ".part", ".part-journal"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        for (size_t j = 0; j < sizeof endings / sizeof *endings; j++) {
            char name[64];
            snprintf(name, sizeof name, "%s%s", names[i], endings[j]);
            char *path = path_in(copying->folder, name);
            unlink(path);
            free(path);
        }
    if (copying->made)
        rmdir(copying->folder);
}

/* ---- copies ---- */

static status_t search_copy(data_set_t *data_set, const char *path)
{
    status_t status = search_backup(data_set->search, path);
    if (status != OK)
        log_error("search_backup", "status=%s reason=\"%s\"", status_name(status),
                  search_errmsg(data_set->search));
    return status;
}

/* The copy must not go on holding its log. */
static status_t copy_release(const char *path)
{
    char *url;
    store_t *copy = NULL;
    if (asprintf(&url, "sqlite:%s", path) < 0)
        abort();
    status_t status = store_open(url, false, &copy);
    if (status == OK)
        status = store_position_remove(copy, FOLLOWER_HOLD);
    if (status != OK)
        log_error("store_backup", "status=%s reason=\"%s\"", status_name(status),
                  store_errmsg(copy));
    store_close(&copy);
    free(url);
    return status;
}

static status_t store_copy(data_set_t *data_set, const char *path)
{
    status_t status = store_backup(data_set->store, path);
    if (status != OK)
        log_error("store_backup", "status=%s reason=\"%s\"", status_name(status),
                  store_errmsg(data_set->store));
    return status == OK ? copy_release(path) : status;
}

static status_t journal_copy(data_set_t *data_set, const char *path)
{
    status_t status = journal_backup(data_set->journal, path);
    if (status != OK)
        log_error("journal_backup", "status=%s reason=\"%s\"", status_name(status),
                  journal_errmsg(data_set->journal));
    return status;
}

static status_t copy(struct copying *copying, const char *name,
                     status_t (*one)(data_set_t *data_set, const char *path))
{
    char *path = path_in(copying->folder, name);
    status_t status = one(copying->data_set, path);
    if (status == OK && !file_sync(path)) {
        log_error("backup", "path=\"%s\" reason=\"%s\"", path, strerror(errno));
        status = ERR_CONFIG;
    }
    free(path);
    return status;
}

static void *copies_make(void *copying_p)
{
    struct copying *copying = (struct copying *) copying_p;
    status_t status = OK;
    if (copying->data_set->search)
        status = copy(copying, "search.db", search_copy);
    if (status == OK)
        status = copy(copying, "store.db", store_copy);
    if (status == OK)
        status = copy(copying, "journal.db", journal_copy);
    if (status == OK && (!file_sync(copying->folder) || !folder_sync_above(copying->folder))) {
        log_error("backup", "path=\"%s\" reason=\"%s\"", copying->folder, strerror(errno));
        status = ERR_CONFIG;
    }
    copying->status = status;
    atomic_store(&copying->done, true);
    return NULL;
}

/* ---- the command ---- */

static void signals_block(sigset_t *ret_signals)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    sigemptyset(ret_signals);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        sigaddset(ret_signals, numbers[i]);
    pthread_sigmask(SIG_BLOCK, ret_signals, NULL);
}

/* False: a signal came first. */
static bool copies_wait(struct copying *copying, const sigset_t *signals)
{
    const struct timespec pause = {.tv_nsec = LOOK_MS * 1000000L};
    while (!atomic_load(&copying->done))
        if (sigtimedwait(signals, NULL, &pause) > 0)
            return false;
    return true;
}

static status_t held_copy(struct copying *copying, const struct config *config,
                          const sigset_t *signals)
{
    pthread_t thread;
    bool held;
    if (pthread_create(&thread, NULL, copies_make, copying) != 0)
        abort();
    bool finished = copies_wait(copying, signals);
    if (finished)
        pthread_join(thread, NULL);
    status_t status = hold_release(config, &held);
    if (!finished) { /* the thread may be in the middle of anything */
        folder_clear(copying);
        fprintf(stderr, "confab backup: broken off\n");
        _exit(1);
    }
    return copying->status == OK ? status : copying->status;
}

static int data_set_backup(struct copying *copying, const struct config *config)
{
    sigset_t signals;
    if (!folder_make(copying))
        return 1;
    signals_block(&signals);
    status_t status = hold_log(config);
    if (status == OK)
        status = held_copy(copying, config, &signals);
    if (status != OK) {
        folder_clear(copying);
        return 1;
    }
    printf("backup: %s is a copy of %s\n", copying->folder, config->data);
    return 0;
}

static bool all_files(const struct config *config)
{
    return text_has_scheme(config->journal, "sqlite") && text_has_scheme(config->store, "sqlite") &&
           (text_has_scheme(config->search, "sqlite") || strcmp(config->search, "none") == 0);
}

int command_backup(const struct config *config, int argc, char **argv)
{
    struct copying copying = {.status = OK};
    int words;
    if (!options_read("backup", argc, argv, NULL, 0, 1, &words, stderr))
        return 2;
    if (words == 0) {
        fprintf(stderr, "confab backup: a folder is expected; see confab help backup\n");
        return 2;
    }
    if (!all_files(config)) {
        fprintf(stderr, "confab backup: it copies files, and this data set is not made of files "
                        "alone; see confab help hold\n");
        return 1;
    }
    copying.folder = argv[0];
    if (data_set_open(config, DATA_SET_READ, &copying.data_set) != OK)
        return 1;
    int result = data_set_backup(&copying, config);
    data_set_close(&copying.data_set);
    return result;
}
