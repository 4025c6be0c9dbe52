/* SPDX-License-Identifier: MIT */
#include "commands/advice.h"

#include <stddef.h>
#include <string.h>

/* The first whose words are in what the service says. */
static const struct {
    enum advice_part part;
    const char *words;
    bool passing;
    const char *todo;
} known[] = {
    {ADVICE_JOURNAL, "LOADING", true, "wait, Redis is still reading its files"},
    {ADVICE_JOURNAL, "WRONGPASS", false, "correct the password in --journal"},
    {ADVICE_JOURNAL, "NOAUTH", false,
     "put the password into --journal: redis://:password@host:port"},
    {ADVICE_JOURNAL, "invalid password", false, "correct the password in --journal"},
    {ADVICE_JOURNAL, "without any password configured", false,
     "take the password out of --journal, this Redis has none"},
    {ADVICE_JOURNAL, "NOPERM", false,
     "give this Redis account the rights for all commands and keys"},
    {ADVICE_JOURNAL, "DB index is out of range", false, "correct the database in --journal"},
    {ADVICE_JOURNAL, "READONLY", true, "this Redis is a replica: correct --journal, or promote it"},
    {ADVICE_JOURNAL, "MISCONF", true, "see the log of Redis: it cannot write its files"},
    {ADVICE_STORE, "Access denied", false,
     "correct user and password in --store, and give the account its rights"},
    {ADVICE_STORE, "command denied", false,
     "run confab migrate once with an account that may create and alter tables"},
    {ADVICE_STORE, "Unknown database", false,
     "create it: CREATE DATABASE name CHARACTER SET utf8mb4"},
    {ADVICE_STORE, "Plugin", false, "the account needs a way to log in that this client knows"},
    {ADVICE_SEARCH, "HTTP 401", false, "correct user and password in --search"},
    {ADVICE_SEARCH, "HTTP 403", false, "give the account its rights to the index"},
};

static const char *away(enum advice_part part)
{
    switch (part) {
    case ADVICE_JOURNAL:
        return "start Redis, or correct --journal";
    case ADVICE_STORE:
        return "start MySQL or MariaDB, or correct --store";
    case ADVICE_SEARCH:
        return "start Elasticsearch, or correct --search";
    }
    return "";
}

struct advice advice_about(enum advice_part part, bool server, status_t status, const char *words)
{
    for (size_t i = 0; server && i < sizeof known / sizeof *known; i++)
        if (known[i].part == part && strstr(words, known[i].words))
            return (struct advice){known[i].todo, known[i].passing};
    if (status == ERR_SCHEMA)
        return (struct advice){"confab migrate; or use the newer confab that made the tables",
                               false};
    if (!server)
        return (struct advice){"see detail; or is the path wrong?", false};
    bool passing = status == ERR_JOURNAL || status == ERR_STORE || status == ERR_SEARCH;
    return (struct advice){passing ? away(part) : "correct the address", passing};
}
