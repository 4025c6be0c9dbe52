/* SPDX-License-Identifier: MIT */
/* options.h - the options that one command has of its own.
 *
 *     --from=17     --from 17     --bodies     --     list
 *
 * The settings that all commands share are out of the way by then
 * (common/config.h). What is left is an option that the command lists, a word
 * that it asks for, or a mistake.
 */
#ifndef COMMANDS_OPTIONS_H
#define COMMANDS_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum option_kind { OPTION_SWITCH, OPTION_TEXT, OPTION_NUMBER };

struct option {
    const char *name; /* without the dashes */
    enum option_kind kind;

    /* What the command line says; the caller's defaults stay otherwise. */
    bool given;
    const char *text; /* OPTION_TEXT; points into argv */
    uint64_t number;  /* OPTION_NUMBER */
};

/* Reads the options and moves the words that are none to the front of argv. After
 * `--` all are words. False: something is wrong, told to `complaints`; more words
 * than `words_max` are. The last of equal options wins. */
bool options_read(const char *command, int argc, char **argv, struct option options[], size_t count,
                  int words_max, int *ret_words, FILE *complaints);

/* For commands that take neither options nor words. */
bool options_none(const char *command, int argc, char **argv);

#endif
