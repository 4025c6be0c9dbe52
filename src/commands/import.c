/* SPDX-License-Identifier: MIT */
/* import.c - confab import: lines of JSON become part of the data set.
 *
 * All is checked before anything is written. Then everything goes through the log,
 * and becomes visible together at the end: broken off before, nothing is visible,
 * and the next import of the same tokens replaces what is there.
 */
#include <stdio.h>
#include <stdlib.h>

#include "commands/appender.h"
#include "commands/command.h"
#include "commands/data_set.h"
#include "commands/import_append.h"
#include "commands/import_check.h"
#include "commands/import_follow.h"
#include "commands/import_lines.h"
#include "commands/options.h"
#include "commands/progress.h"
#include "commands/transfer.h"
#include "common/clock.h"

const char command_import_help[] =
    "confab import reads what `confab export` wrote and adds it to the data set, which is\n"
    "made if there is none: tokens, numbers and times stay as they are. Everything is\n"
    "checked first; if a line is not good, or a token exists already, even deleted, then\n"
    "nothing is written. If it is broken off, nothing is visible: run it again.\n"
    "\n"
    "On the embedded stack the server must be stopped. On the full stack it works beside\n"
    "servers, which take in what it writes; without one, index and counts follow when the\n"
    "next one runs.\n"
    "\n"
    "Usage: confab import [--input=FILE]\n"
    "\n"
    "  --input=FILE   read FILE instead of standard input\n"
    "\n"
    "Exit: 0 done; 1 could not, or the lines are not good; 2 called in the wrong way.\n"
    "\n"
    "Example: confab import --input all.ndjson --data /var/lib/confab\n";

enum { FOLLOW_EVERY = 16 }; /* appends to a shard */

struct importing {
    data_set_t *data_set;
    import_lines_t *lines;
    appender_t *appender;
    import_check_t *check;   /* of the pass at hand */
    import_append_t *append; /* NULL in the first pass */
    import_follow_t *follow;
    struct progress progress;
    unsigned appends[SHARDS_MAX]; /* by shard: since it was last followed */
};

static status_t refuse(struct importing *self, const char *why)
{
    progress_end(&self->progress);
    fprintf(stderr, "confab import: line %llu: %s\n",
            (unsigned long long) import_lines_number(self->lines), why);
    return ERR_DATA;
}

/* ---- a line ---- */

/* A token that was ever used stays so; one whose import did not end is free. */
static status_t token_check(struct importing *self, const struct transfer *transfer)
{
    struct look look = {.token = transfer->token, .token_length = transfer->token_length};
    status_t status = appender_look(self->appender, &look);
    if (status != OK)
        return status;
    if (look.application == EXISTS)
        return refuse(self, "an application of that token exists already");
    if (look.application == EXISTS_DELETED)
        return refuse(self, "an application of that token existed and was deleted");
    return OK;
}

static status_t line_take(struct importing *self, char *line, size_t length)
{
    struct transfer transfer;
    const char *why = NULL;
    if (!transfer_read(line, length, &transfer, &why) ||
        !import_check_next(self->check, &transfer, &why))
        return refuse(self, why);
    if (self->append)
        return import_append_add(self->append, import_check_application(self->check), &transfer);
    return transfer.type == TRANSFER_APPLICATION ? token_check(self, &transfer) : OK;
}

static status_t lines_take(struct importing *self)
{
    char *line = NULL;
    size_t length = 0;
    status_t status = OK;
    import_lines_rewind(self->lines);
    do {
        status = import_lines_next(self->lines, &line, &length);
        if (status == ERR_MALFORMED)
            status = refuse(self, "it is longer than any line of an export");
        if (status == OK && line)
            status = line_take(self, line, length);
        progress_show(&self->progress, import_lines_number(self->lines),
                      import_lines_read(self->lines), import_lines_bytes(self->lines));
    } while (status == OK && line);
    return status;
}

/* ---- two passes ---- */

static status_t first_pass(struct importing *self)
{
    progress_start(&self->progress, "import", "lines checked");
    status_t status = lines_take(self);
    progress_end(&self->progress);
    return status;
}

static status_t appended(void *self_p, unsigned shard)
{
    struct importing *self = (struct importing *) self_p;
    if (++self->appends[shard] < FOLLOW_EVERY)
        return OK;
    self->appends[shard] = 0;
    return import_follow_shard(self->follow, shard);
}

static status_t second_pass(struct importing *self)
{
    progress_start(&self->progress, "import", "lines imported");
    status_t status = lines_take(self);
    if (status == OK)
        status = import_append_end(self->append, self->check->applications,
                                   self->check->application_count);
    if (status == OK)
        status = import_follow_end(self->follow);
    progress_end(&self->progress);
    return status;
}

static status_t import(struct importing *self)
{
    int64_t now = clock_us();
    self->appender = appender_new(self->data_set);
    self->check = import_check_new(now);
    status_t status = first_pass(self);
    import_check_destroy(&self->check);

    self->check = import_check_new(now);
    self->follow = import_follow_new(self->data_set);
    if (status == OK)
        status = import_follow_start(self->follow);
    if (status == OK) {
        self->append = import_append_new(self->data_set, self->appender, appended, self);
        status = second_pass(self);
    }
    if (status == OK)
        printf("import: %zu applications, %llu chats, %llu messages\n",
               self->check->application_count, (unsigned long long) self->check->chats,
               (unsigned long long) self->check->messages);
    uint64_t dead = import_follow_dead(self->follow);
    if (dead > 0) {
        fprintf(stderr, "confab import: %llu records were put aside; see confab dead list\n",
                (unsigned long long) dead);
        status = ERR_DATA;
    }
    import_append_destroy(&self->append);
    appender_destroy(&self->appender);
    import_follow_destroy(&self->follow);
    import_check_destroy(&self->check);
    return status;
}

/* For a copy of what comes through a pipe: it is read twice. */
static const char *spool_folder(const struct config *config)
{
    const char *folder = getenv("TMPDIR");
    if (config->data_used)
        return config->data;
    return folder && *folder ? folder : "/tmp";
}

int command_import(const struct config *config, int argc, char **argv)
{
    struct option options[] = {{.name = "input", .kind = OPTION_TEXT}};
    struct importing self = {.data_set = NULL};
    /* A file's log is followed as it is written: no backlog of other people's doing. */
    struct config used = *config;
    if (!data_set_shared(config))
        used.backlog_records = used.backlog_bytes = 0;
    int words;
    if (!options_read("import", argc, argv, options, 1, 0, &words, stderr))
        return 2;
    status_t status = data_set_open(&used, DATA_SET_MAKE, &self.data_set);
    if (status == OK)
        status = data_set_check(self.data_set);
    if (status == OK)
        status = import_lines_open(options[0].text, spool_folder(config), &self.lines);
    if (status == OK)
        status = import(&self);
    import_lines_close(&self.lines);
    data_set_close(&self.data_set);
    return status == OK ? 0 : 1;
}
