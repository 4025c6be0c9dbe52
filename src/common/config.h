/* SPDX-License-Identifier: MIT */
/* config.h - one table of settings; each is a flag, an environment variable and
 * a line of the configuration file.
 *
 *     --counts-flush=10s     CONFAB_COUNTS_FLUSH=10s     counts_flush = 10s
 *
 * A flag wins over the environment, that over the file, that over the default.
 * The order of the table is the order of `--help` and docs/CONFIGURATION.md.
 * Read once, then passed down as a const struct config *.
 */
#ifndef COMMON_CONFIG_H
#define COMMON_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "common/log.h"
#include "common/record.h"
#include "common/status.h"

/* X(name, kind, default, smallest, greatest, help). Kinds: TEXT, NUMBER,
 * ADDRESS (IPv4:port, or empty), DURATION (ms, s, m, h), SIZE (K, M, G: powers of 1024), LEVEL. */
#define CONFIG_LIST(X)                                                                           \
    X(listen, ADDRESS, "0.0.0.0:4000", 0, 0, "HTTP address and port")                            \
    X(admin, ADDRESS, "", 0, 0, "second address for /healthz, /readyz and /metrics")             \
    X(data, TEXT, "./confab-data", 0, 0, "folder of the embedded stack; locked while served")    \
    X(journal, TEXT, "", 0, 0,                                                                   \
      "the log: redis://[:password@]host:port[/db][,...] or sqlite:PATH; default: in data")      \
    X(store, TEXT, "", 0, 0,                                                                     \
      "messages: mysql://user:password@host:port/database or sqlite:PATH; default: in data")     \
    X(search, TEXT, "", 0, 0,                                                                    \
      "index: http(s)://[user:password@]host:port/index, sqlite:PATH or none; default: in data") \
    X(api_key, TEXT, "", 0, 0, "Bearer key that every request must show; empty: open")           \
    X(threads, NUMBER, "256", 8, 4096, "HTTP connections served at once")                        \
    X(shards, NUMBER, "0", 0, SHARDS_MAX,                                                        \
      "shards of the log, fixed when a data set is made; 0: 8, or 1 if the log is SQLite")       \
    X(deadline, DURATION, "2s", 100, 60000, "how long a request may wait for the actors")        \
    X(counts_flush, DURATION, "10s", 1000, 3600000, "how often counts are written")              \
    X(max_body, SIZE, "1M", 1024, 1 << 30, "largest request body")                               \
    X(backlog_records, NUMBER, "2000000", 1000, 1000000000,                                      \
      "records in the log that are not stored yet; above it writes get 503")                     \
    X(backlog_bytes, SIZE, "1G", 1 << 20, 1LL << 40, "the same in bytes")                        \
    X(keys_max, NUMBER, "1000000", 0, 1000000000,                                                \
      "idempotency keys kept; above it keyed requests get 503")                                  \
    X(rebuild, TEXT, "manual", 0, 0, "what to do when the log's history was lost: manual, auto") \
    X(log_level, LEVEL, "info", 0, 0, "debug, info, warning or error")

struct config {
#define CONFIG_TYPE_TEXT const char *
#define CONFIG_TYPE_ADDRESS const char *
#define CONFIG_TYPE_NUMBER uint64_t
#define CONFIG_TYPE_DURATION uint64_t /* ms */
#define CONFIG_TYPE_SIZE uint64_t     /* bytes */
#define CONFIG_TYPE_LEVEL enum log_level
#define CONFIG_FIELD(name, kind, standard, smallest, greatest, help) CONFIG_TYPE_##kind name;
    CONFIG_LIST(CONFIG_FIELD)
#undef CONFIG_FIELD
    bool data_used;             /* at least one of the three is in the data folder */
    bool shards_chosen;         /* the number of shards was said, not left to us */
    char *file_text, *owned[3]; /* what texts may point into */
};

/* Reads file (--config FILE or CONFAB_CONFIG), environment and flags, and takes
 * the flags that it knows out of argv. Texts point into argv and environment, too.
 * Writes what is wrong to `complaints`, and then returns ERR_CONFIG. */
MUST_CHECK status_t config_load(int *argc, char **argv, char **environment, FILE *complaints,
                                struct config *ret_config);

void config_free(struct config *config);

/* The settings as lines of help, in the order of the table. */
void config_print_help(FILE *file);

/* The same as the table of docs/CONFIGURATION.md (a test compares them). */
void config_print_markdown(FILE *file);

#endif
