/* SPDX-License-Identifier: MIT */
#include "commands/options.h"

#include <string.h>

#include "common/text.h"

static bool complain(FILE *complaints, const char *command, const char *word, const char *what)
{
    fprintf(complaints, "confab %s: '%.64s' %s; see confab help %s\n", command, word, what,
            command);
    return false;
}

/* The option that `word` names; *ret_value: what stands behind its `=`, or NULL. */
static struct option *option_find(const char *word, struct option options[], size_t count,
                                  const char **ret_value)
{
    size_t length = strcspn(word + 2, "=");
    *ret_value = word[2 + length] ? word + 2 + length + 1 : NULL;
    for (size_t i = 0; i < count; i++)
        if (strlen(options[i].name) == length && memcmp(options[i].name, word + 2, length) == 0)
            return &options[i];
    return NULL;
}

/* What is wrong with the value, or NULL. */
static const char *option_set(struct option *option, const char *value)
{
    option->given = true;
    option->text = value;
    if (option->kind == OPTION_SWITCH)
        return value ? "takes no value" : NULL;
    if (!value || !*value)
        return "needs a value";
    if (option->kind == OPTION_NUMBER && !text_read_number(value, strlen(value), &option->number))
        return "needs a number";
    return NULL;
}

bool options_read(const char *command, int argc, char **argv, struct option options[], size_t count,
                  int words_max, int *ret_words, FILE *complaints)
{
    int words = 0;
    bool only_words = false;
    for (int i = 0; i < argc; i++) {
        char *word = argv[i];
        if (!only_words && strcmp(word, "--") == 0) {
            only_words = true;
            continue;
        }
        if (only_words || word[0] != '-' || word[1] == 0) {
            if (words == words_max)
                return complain(complaints, command, word, "is more than this command takes");
            argv[words++] = word;
            continue;
        }
        const char *value = NULL;
        struct option *option = word[1] == '-' ? option_find(word, options, count, &value) : NULL;
        if (!option) {
            word[strcspn(word, "=")] = 0; /* a setting spelled wrong may have a secret behind it */
            return complain(complaints, command, word, "is not an option");
        }
        if (!value && option->kind != OPTION_SWITCH && i + 1 < argc)
            value = argv[++i];
        const char *wrong = option_set(option, value);
        if (wrong)
            return complain(complaints, command, word, wrong);
    }
    *ret_words = words;
    return true;
}

bool options_none(const char *command, int argc, char **argv)
{
    int words;
    return options_read(command, argc, argv, NULL, 0, 0, &words, stderr);
}
