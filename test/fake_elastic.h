/* SPDX-License-Identifier: MIT */
/* fake_elastic.h - stands in for an Elasticsearch that answers as a test says.
 *
 * A healthy one has one index behind the name, takes every document, finds none, and
 * has no position. Faults are planned: each is for the next request whose path has
 * `where` in it, and they wait in line. Whether what we send is right only the real
 * one can tell; see contract_search.c and test_search_elastic.c.
 *
 * One connection after the other, in a thread of its own.
 */
#ifndef FAKE_ELASTIC_H
#define FAKE_ELASTIC_H

#include <stdbool.h>
#include <stddef.h>

typedef struct fake_elastic fake_elastic_t;

enum fake_elastic_trouble {
    FAKE_ELASTIC_ANSWERS,
    FAKE_ELASTIC_HANGS, /* until the client has had enough */
    FAKE_ELASTIC_CUTS,  /* closes the connection in the middle of the answer */
};

struct fake_elastic_fault {
    const char *where;
    enum fake_elastic_trouble trouble;
    int code;           /* of the answer; 0: 200 */
    const char *answer; /* NULL: what a healthy one says */
    /* Of a _bulk: the documents with these ids (between spaces) get this status. */
    const char *ids;
    int item_code;
    const char *index; /* all documents went into this one */
};

fake_elastic_t *fake_elastic_open(void);
/* Accepts NULL; leaves *elastic_p NULL. */
void fake_elastic_close(fake_elastic_t **elastic_p);

/* For search_open(). */
const char *fake_elastic_url(const fake_elastic_t *elastic);

/* What the fault points to must live on. */
void fake_elastic_plan(fake_elastic_t *elastic, const struct fake_elastic_fault *fault);
/* Whether all that was planned has happened. */
bool fake_elastic_done(fake_elastic_t *elastic);

/* How many requests there were so far with this in the path. */
size_t fake_elastic_count(fake_elastic_t *elastic, const char *where);
/* The body of one of them, from 0; NULL: there were fewer. */
const char *fake_elastic_body(fake_elastic_t *elastic, const char *where, size_t nth);

#endif
