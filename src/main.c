/* SPDX-License-Identifier: MIT */
/* main.c - reads the command line and calls a command. */
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "commands/command.h"
#include "common/config.h"

static const struct command commands[] = {
#define COMMAND_ROW(name, summary) {#name, command_##name, summary, command_##name##_help},
    COMMAND_LIST(COMMAND_ROW)
#undef COMMAND_ROW
};

enum { COMMAND_COUNT = sizeof commands / sizeof *commands };

static const struct command *command_find(const char *name)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

static void help_print(FILE *file)
{
    fprintf(file,
            "confab stores chats for other applications: numbered, searchable, never lost.\n\n"
            "Usage: confab COMMAND [--setting=value]... [option]...\n"
            "       confab help COMMAND\n\nCommands:\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        fprintf(file, "  %-10s %s\n", commands[i].name, commands[i].summary);
    fprintf(file, "\nSettings of all commands, each also as CONFAB_NAME in the environment and as "
                  "`name = value`\nin the file that --config FILE or CONFAB_CONFIG names:\n");
    config_print_help(file);
}

static bool asks_for_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0;
}

/* What was printed must have arrived: a full disk is no success. */
static int output_finish(int result)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return result;
    fprintf(stderr, "confab: standard output cannot be written: %s\n", strerror(errno));
    return result ? result : 1;
}

static int command_run(const struct command *command, int argc, char **argv)
{
    struct config config;
    if (sodium_init() < 0 || config_load(&argc, argv, environ, stderr, &config) != OK)
        return 2;
    log_set_level(config.log_level);
    int result = command->run(&config, argc, argv);
    config_free(&config);
    return output_finish(result);
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";
    bool help = asks_for_help(name);
    if (help && argc == 2) {
        help_print(stdout);
        return output_finish(0);
    }
    if (help)
        name = argv[2];
    for (int i = 2; i < argc && !help; i++)
        help = strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0;

    const struct command *command = command_find(name);
    if (!command) {
        if (*name)
            fprintf(stderr, "confab: '%.64s' is not a command\n\n", name);
        help_print(stderr);
        return 2;
    }
    if (!help)
        return command_run(command, argc - 2, argv + 2);
    fputs(command->help, stdout);
    return output_finish(0);
}
