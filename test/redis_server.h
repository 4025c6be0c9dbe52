/* SPDX-License-Identifier: MIT */
/* redis_server.h - a Redis of a test's own: started, killed, started again.
 *
 * It has a free port of 127.0.0.1 and a folder of its own, syncs each write, and
 * dies with the test. CONFAB_TEST_REDIS names the binary, else it is `redis-server`
 * from PATH; a test fails if there is none.
 *
 * One thread, the test's first: the kernel ends the server with the thread that
 * started it.
 */
#ifndef REDIS_SERVER_H
#define REDIS_SERVER_H

#include <stdbool.h>

typedef struct redis_server redis_server_t;

/* Starts one and waits until it answers. `options`: more of redis.conf, one line
 * each, e.g. "requirepass secret\nmaxmemory 20mb\n"; NULL for none. */
redis_server_t *redis_server_start(const char *options);
/* Ends it and removes its folder. Accepts NULL; leaves *server_p NULL. */
void redis_server_stop(redis_server_t **server_p);

/* redis://127.0.0.1:PORT, without a password; lives as long as the server. */
const char *redis_server_url(const redis_server_t *server);
unsigned redis_server_port(const redis_server_t *server);
/* Where its files are. */
const char *redis_server_folder(const redis_server_t *server);

/* SIGKILL; connections to it are refused from then on. */
void redis_server_kill(redis_server_t *server);
/* Starts it again, over the files it left, on the same port, after ending it if it
 * runs. A new run. */
void redis_server_restart(redis_server_t *server);
/* SIGSTOP and SIGCONT: it is there and does not answer. */
void redis_server_pause(redis_server_t *server);
void redis_server_resume(redis_server_t *server);

/* Sends a command, given as words with blanks between, over a connection of its own.
 * Returns the answer as text, nested lists flattened to lines; a nil is "". Errors
 * begin with "-". Lives as long as the process. */
const char *redis_server_ask(redis_server_t *server, const char *command);

#endif
