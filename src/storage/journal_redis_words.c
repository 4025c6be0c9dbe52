/* SPDX-License-Identifier: MIT */
/* journal_redis_words.c - the words of a command, and the scripts. */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "storage/journal_redis.h"
#include "storage/journal_redis_scripts.h"

const char *const redis_scripts[SCRIPTS] = {
    [SCRIPT_APPEND] = journal_redis_append_lua,   [SCRIPT_CHECKED] = journal_redis_checked_lua,
    [SCRIPT_LOOK] = journal_redis_look_lua,       [SCRIPT_MARK] = journal_redis_mark_lua,
    [SCRIPT_REBUILT] = journal_redis_rebuilt_lua, [SCRIPT_TRIM] = journal_redis_trim_lua,
};

void words_free(struct words *words)
{
    free(words->word);
    free(words->argv);
    free(words->lengths);
    buffer_free(&words->text);
}

void words_clear(struct words *words)
{
    words->count = 0;
    buffer_clear(&words->text);
}

static struct word *words_next(struct words *words)
{
    if (words->count == words->capacity) {
        words->capacity = words->capacity ? words->capacity * 2 : 64;
        words->word = realloc(words->word, words->capacity * sizeof *words->word);
        if (!words->word)
            abort();
    }
    return &words->word[words->count++];
}

void words_add(struct words *words, const void *at, size_t length)
{
    *words_next(words) = (struct word){.at = length ? at : "", .length = length};
}

void words_text(struct words *words, const char *text)
{
    words_add(words, text, strlen(text));
}

void words_printf(struct words *words, const char *format, ...)
{
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    assert(length >= 0 && (size_t) length < sizeof text);
    *words_next(words) = (struct word){.offset = words->text.length, .length = (size_t) length};
    buffer_append(&words->text, text, (size_t) length);
}

void words_script(struct words *words, enum script script, size_t keys)
{
    words_clear(words);
    words_text(words, "EVALSHA");
    /* Which one, as node_send() puts its SHA in place of this. */
    *words_next(words) = (struct word){.at = redis_scripts[script], .length = script};
    words_printf(words, "%zu", keys);
}
