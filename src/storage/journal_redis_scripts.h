/* SPDX-License-Identifier: MIT */
/* journal_redis_scripts.h - the scripts that Redis runs, out of journal_redis_*.lua. */
#ifndef STORAGE_JOURNAL_REDIS_SCRIPTS_H
#define STORAGE_JOURNAL_REDIS_SCRIPTS_H

extern const char journal_redis_append_lua[];
extern const char journal_redis_checked_lua[];
extern const char journal_redis_look_lua[];
extern const char journal_redis_mark_lua[];
extern const char journal_redis_rebuilt_lua[];
extern const char journal_redis_trim_lua[];

#endif
