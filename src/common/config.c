/* SPDX-License-Identifier: MIT */
#include "common/config.h"

#include <arpa/inet.h>
#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/buffer.h"
#include "common/text.h"
#include "common/url.h"

enum kind { KIND_TEXT, KIND_ADDRESS, KIND_NUMBER, KIND_DURATION, KIND_SIZE, KIND_LEVEL };

struct setting {
    const char *name; /* as in the file: counts_flush */
    enum kind kind;
    const char *standard;
    uint64_t smallest, greatest;
    const char *help;
    size_t field; /* offset in struct config */
};

static const struct setting settings[] = {
#define CONFIG_ROW(name, kind, standard, smallest, greatest, help) \
    {#name, KIND_##kind, standard, smallest, greatest, help, offsetof(struct config, name)},
    CONFIG_LIST(CONFIG_ROW)
#undef CONFIG_ROW
};

enum {
    SETTING_COUNT = sizeof settings / sizeof *settings,
    NAME_SIZE = 64,
    SHARDS_SERVED = 8, /* of a log that is a server */
};

/* The name as a flag (counts-flush) or a variable (CONFAB_COUNTS_FLUSH). */
static const char *name_as_flag(const char *name, char flag[NAME_SIZE])
{
    size_t i = 0;
    for (; name[i] && i < NAME_SIZE - 1; i++)
        flag[i] = name[i] == '_' ? '-' : name[i];
    flag[i] = 0;
    return flag;
}

static const char *name_as_variable(const char *name, char variable[NAME_SIZE])
{
    size_t length = (size_t) snprintf(variable, NAME_SIZE, "CONFAB_%s", name);
    for (size_t i = 0; i < length; i++)
        variable[i] = (char) toupper((unsigned char) variable[i]);
    return variable;
}

/* Units that may follow a number; the first one is implied. */
static bool unit_factor(enum kind kind, const char *unit, uint64_t *ret_factor)
{
    static const struct {
        enum kind kind;
        const char *unit;
        uint64_t factor;
    } units[] = {
        {KIND_NUMBER, "", 1},         {KIND_DURATION, "ms", 1},      {KIND_DURATION, "s", 1000},
        {KIND_DURATION, "m", 60000},  {KIND_DURATION, "h", 3600000}, {KIND_SIZE, "", 1},
        {KIND_SIZE, "K", 1ULL << 10}, {KIND_SIZE, "M", 1ULL << 20},  {KIND_SIZE, "G", 1ULL << 30},
    };
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (units[i].kind == kind && strcmp(units[i].unit, unit) == 0) {
            *ret_factor = units[i].factor;
            return true;
        }
    return false;
}

static bool number_parse(const struct setting *setting, const char *text, uint64_t *ret_number)
{
    char *end;
    uint64_t factor;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    if (errno || end == text || !isdigit((unsigned char) *text) ||
        !unit_factor(setting->kind, end, &factor) || number > UINT64_MAX / factor)
        return false;
    *ret_number = number * factor;
    return *ret_number >= setting->smallest && *ret_number <= setting->greatest;
}

/* An IPv4 address and a port, as civetweb takes them; or nothing. */
static bool address_parse(const char *text)
{
    char host[INET_ADDRSTRLEN] = "";
    struct in_addr address;
    const char *colon = strchr(text, ':');
    if (!colon)
        return *text == 0;
    size_t length = (size_t) (colon - text), digits = strspn(colon + 1, "0123456789");
    if (length >= sizeof host || digits == 0 || digits > 5 || colon[1 + digits] != 0)
        return false;
    memcpy(host, text, length);
    long port = strtol(colon + 1, NULL, 10);
    return inet_pton(AF_INET, host, &address) == 1 && port >= 1 && port <= 65535;
}

static bool level_parse(const char *text, enum log_level *ret_level)
{
    static const char *const names[] = {"debug", "info", "warning", "error"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i], text) == 0) {
            *ret_level = (enum log_level) i;
            return true;
        }
    return false;
}

static void unit_hint(const struct setting *setting, FILE *complaints)
{
    switch (setting->kind) {
    case KIND_NUMBER:
        fprintf(complaints, "a number from %llu to %llu\n", (unsigned long long) setting->smallest,
                (unsigned long long) setting->greatest);
        break;
    case KIND_DURATION:
        fprintf(complaints, "a time from %llums to %llums, such as 500ms, 10s, 5m or 1h\n",
                (unsigned long long) setting->smallest, (unsigned long long) setting->greatest);
        break;
    case KIND_SIZE:
        fprintf(complaints, "a size from %llu to %llu, such as 65536, 512K, 16M or 1G\n",
                (unsigned long long) setting->smallest, (unsigned long long) setting->greatest);
        break;
    case KIND_ADDRESS:
        fprintf(complaints, "an IPv4 address and a port, such as 127.0.0.1:4000\n");
        break;
    case KIND_LEVEL:
        fprintf(complaints, "debug, info, warning or error\n");
        break;
    case KIND_TEXT:
        break;
    }
}

/* `source` tells people where the value came from. */
static bool setting_set(struct config *config, const struct setting *setting, const char *value,
                        const char *source, FILE *complaints)
{
    char *field = (char *) config + setting->field;
    bool good = true;
    switch (setting->kind) {
    case KIND_TEXT:
        *(const char **) (void *) field = value;
        break;
    case KIND_ADDRESS:
        good = address_parse(value);
        *(const char **) (void *) field = value;
        break;
    case KIND_LEVEL:
        good = level_parse(value, (enum log_level *) (void *) field);
        break;
    case KIND_NUMBER:
    case KIND_DURATION:
    case KIND_SIZE:
        good = number_parse(setting, value, (uint64_t *) (void *) field);
        break;
    }
    if (!good) {
        fprintf(complaints, "confab: %s: '%.64s' is not what %s takes: ", source, value,
                setting->name);
        unit_hint(setting, complaints);
    }
    return good;
}

static const struct setting *setting_find(const char *name)
{
    for (size_t i = 0; i < SETTING_COUNT; i++)
        if (strcmp(settings[i].name, name) == 0)
            return &settings[i];
    return NULL;
}

static char *trim(char *text)
{
    while (isspace((unsigned char) *text))
        text++;
    size_t length = strlen(text);
    while (length > 0 && isspace((unsigned char) text[length - 1]))
        text[--length] = 0;
    return text;
}

/* The whole file as one text, which the settings point into; NULL if it cannot be read. */
static char *file_read(const char *path)
{
    struct buffer text = {0};
    FILE *file = fopen(path, "r");
    bool good = file != NULL;
    for (size_t got = 1; good && got > 0; text.length += got)
        got = fread(buffer_reserve(&text, 4096), 1, 4096, file);
    good = good && !ferror(file);
    if (file)
        fclose(file);
    if (good) {
        *buffer_reserve(&text, 1) = 0;
        return text.data;
    }
    buffer_free(&text);
    return NULL;
}

static bool file_load(struct config *config, const char *path, FILE *complaints)
{
    config->file_text = file_read(path);
    if (!config->file_text) {
        fprintf(complaints, "confab: cannot read the configuration file %s: %s\n", path,
                strerror(errno));
        return false;
    }
    char *rest = config->file_text, source[256];
    for (unsigned number = 1; rest; number++) {
        char *name = trim(strsep(&rest, "\n"));
        if (*name == 0 || *name == '#')
            continue;
        snprintf(source, sizeof source, "%s, line %u", path, number);
        char *equals = strchr(name, '=');
        if (equals)
            *equals = 0;
        const struct setting *setting = equals ? setting_find(trim(name)) : NULL;
        if (!setting) {
            fprintf(complaints, "confab: %s: not a setting: '%.64s' (name = value is expected)\n",
                    source, name);
            return false;
        }
        if (!setting_set(config, setting, trim(equals + 1), source, complaints))
            return false;
    }
    return true;
}

/* The value of `--flag=value` or `--flag value`; *ret_used: how many words it took. */
static const char *flag_value(const char *flag, int left, char **argv, int *ret_used)
{
    size_t length = strlen(flag);
    if (strncmp(argv[0], "--", 2) != 0 || strncmp(argv[0] + 2, flag, length) != 0)
        return NULL;
    const char *rest = argv[0] + 2 + length;
    if (*rest == '=') {
        *ret_used = 1;
        return rest + 1;
    }
    if (*rest != 0)
        return NULL;
    *ret_used = left > 1 ? 2 : 0;
    return left > 1 ? argv[1] : "";
}

static const char *environment_value(char **environment, const char *variable)
{
    size_t length = strlen(variable);
    for (char **entry = environment; entry && *entry; entry++)
        if (strncmp(*entry, variable, length) == 0 && (*entry)[length] == '=')
            return *entry + length + 1;
    return NULL;
}

static bool environment_load(struct config *config, char **environment, FILE *complaints)
{
    char variable[NAME_SIZE];
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const char *value = environment_value(environment,
                                              name_as_variable(settings[i].name, variable));
        if (value && !setting_set(config, &settings[i], value, variable, complaints))
            return false;
    }
    return true;
}

/* Takes known flags out of argv. With config NULL only finds --config. */
static bool flags_load(struct config *config, int *argc, char **argv, const char **ret_file,
                       FILE *complaints)
{
    int kept = 0;
    for (int i = 0; i < *argc;) {
        char flag[NAME_SIZE];
        const struct setting *setting = NULL;
        int used = 1;
        const char *value = flag_value("config", *argc - i, argv + i, &used);
        if (value)
            *ret_file = value;
        for (size_t s = 0; !value && s < SETTING_COUNT; s++) {
            value = flag_value(name_as_flag(settings[s].name, flag), *argc - i, argv + i, &used);
            setting = value ? &settings[s] : NULL;
        }
        if (value && used == 0) {
            fprintf(complaints, "confab: %s needs a value\n", argv[i]);
            return false;
        }
        if (!value || !config) {
            used = value ? used : 1;
            for (int word = 0; word < used; word++)
                argv[kept++] = argv[i + word];
        } else if (setting && !setting_set(config, setting, value, argv[i], complaints)) {
            return false;
        }
        i += used;
    }
    *argc = kept;
    return true;
}

/* Where a port's file is unless the configuration says otherwise. */
static void url_complete(const char **url, const char *data, const char *file, char **owned)
{
    if (**url)
        return;
    if (asprintf(owned, "sqlite:%s/%s", data, file) < 0)
        abort();
    *url = *owned;
}

static bool url_good(const char *name, const char *url, const char *why, FILE *complaints)
{
    char public[URL_PUBLIC_SIZE];
    if (why)
        fprintf(complaints, "confab: %s: '%s' %s\n", name, url_public(url, public), why);
    return !why;
}

static bool urls_check(const struct config *config, FILE *complaints)
{
    const char *journal = config->journal, *store = config->store, *search = config->search;
    return url_good("journal", journal, url_check_journal(journal), complaints) &&
           url_good("store", store, url_check_store(store), complaints) &&
           url_good("search", search, url_check_search(search), complaints) &&
           url_good("search", search, url_check_together(journal, store, search), complaints);
}

static bool rebuild_check(const struct config *config, FILE *complaints)
{
    bool good = strcmp(config->rebuild, "manual") == 0 || strcmp(config->rebuild, "auto") == 0;
    if (!good)
        fprintf(complaints, "confab: rebuild is manual or auto, not '%.64s'\n", config->rebuild);
    return good;
}

/* What depends on other settings. */
static void config_complete(struct config *config)
{
    config->data_used = !*config->journal || !*config->store || !*config->search;
    url_complete(&config->journal, config->data, "journal.db", &config->owned[0]);
    url_complete(&config->store, config->data, "store.db", &config->owned[1]);
    url_complete(&config->search, config->data, "search.db", &config->owned[2]);
    config->shards_chosen = config->shards > 0;
    if (!config->shards_chosen)
        config->shards = text_has_scheme(config->journal, "sqlite") ? 1 : SHARDS_SERVED;
}

status_t config_load(int *argc, char **argv, char **environment, FILE *complaints,
                     struct config *ret_config)
{
    struct config config = {0};
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        bool set = setting_set(&config, &settings[i], settings[i].standard, "default", complaints);
        assert(set);
    }
    const char *file = environment_value(environment, "CONFAB_CONFIG");
    bool good = flags_load(NULL, argc, argv, &file, complaints) &&
                (!file || file_load(&config, file, complaints)) &&
                environment_load(&config, environment, complaints) &&
                flags_load(&config, argc, argv, &file, complaints) &&
                rebuild_check(&config, complaints);
    if (good) {
        config_complete(&config);
        good = urls_check(&config, complaints);
    }
    if (!good) {
        config_free(&config);
        return ERR_CONFIG;
    }
    *ret_config = config;
    return OK;
}

void config_free(struct config *config)
{
    free(config->file_text);
    for (size_t i = 0; i < sizeof config->owned / sizeof *config->owned; i++)
        free(config->owned[i]);
    *config = (struct config){0};
}

void config_print_help(FILE *file)
{
    char flag[NAME_SIZE];
    for (size_t i = 0; i < SETTING_COUNT; i++)
        fprintf(file, "  --%-16s %s%s%s%s\n", name_as_flag(settings[i].name, flag),
                settings[i].help, *settings[i].standard ? " (" : "", settings[i].standard,
                *settings[i].standard ? ")" : "");
}

void config_print_markdown(FILE *file)
{
    char flag[NAME_SIZE], variable[NAME_SIZE];
    fprintf(file, "| setting | flag | environment | default | meaning |\n|---|---|---|---|---|\n");
    for (size_t i = 0; i < SETTING_COUNT; i++)
        fprintf(file, "| `%s` | `--%s` | `%s` | %s%s%s | %s |\n", settings[i].name,
                name_as_flag(settings[i].name, flag), name_as_variable(settings[i].name, variable),
                *settings[i].standard ? "`" : "",
                *settings[i].standard ? settings[i].standard : "empty",
                *settings[i].standard ? "`" : "", settings[i].help);
}
