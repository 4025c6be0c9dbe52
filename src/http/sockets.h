/* SPDX-License-Identifier: MIT */
/* sockets.h - the TCP sockets that civetweb holds and does not hand out.
 *
 * To end a wait that has lasted too long, one must shut the socket down from
 * outside, and only the kernel still tells which one it is. Slow (a system call
 * for every open file): for connections that misbehave, never for a request.
 *
 * No state: any thread may call anything.
 */
#ifndef HTTP_SOCKETS_H
#define HTTP_SOCKETS_H

#include <civetweb.h>
#include <stddef.h>
#include <stdint.h>

/* The file number of a connection that civetweb has open, by its addresses and
 * ports; -1 if there is none. `info` may be NULL. */
int sockets_find(const struct mg_request_info *info);

/* How many connections to a local port this process has accepted and not closed. */
size_t sockets_count(uint16_t local_port);

/* From now on connections to a local port are refused. civetweb goes on waiting at
 * what was its listening socket. Returns an eventfd, the caller's to close, that
 * wakes it when something is written there; -1: nothing was changed. */
int sockets_stop_listening(uint16_t local_port);

/* Shuts down for reading all sockets of a local port, listening ones included:
 * whoever waits at one wakes up. */
void sockets_wake_all(uint16_t local_port);

/* Reads and drops what comes until the peer has no more, for `ms` at most. */
void sockets_drop(int fd, int ms);

/* Bytes received since the connection began, 0 if that is not known. */
uint64_t sockets_received(int fd);

#endif
