/* SPDX-License-Identifier: MIT */
/* migrations.h - the files of migrations/, compiled in.
 *
 * The build makes the array (scripts/embed.cmake), sorted by name:
 * "sqlite/journal_0001_log.sql" and so on, and a last one whose name is NULL.
 */
#ifndef STORAGE_MIGRATIONS_H
#define STORAGE_MIGRATIONS_H

struct migration {
    const char *name; /* folder/file.sql */
    const char *text;
};

extern const struct migration migrations[];

#endif
