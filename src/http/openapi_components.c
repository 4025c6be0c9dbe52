/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "http/openapi.h"
#include "http/problem.h"

#define NUMBER "{\"type\":\"integer\",\"minimum\":1,\"maximum\":9007199254740991}"
#define COUNT "{\"type\":\"integer\",\"minimum\":0,\"maximum\":9007199254740991}"
#define TEXT "{\"type\":\"string\"}"
#define TIME "{\"type\":\"string\",\"format\":\"date-time\"}"
#define OK_AND_LAG                                                               \
    "{\"type\":\"object\",\"required\":[\"ok\",\"lag_seconds\"],\"properties\":" \
    "{\"ok\":{\"type\":\"boolean\"},\"lag_seconds\":{\"type\":\"number\",\"minimum\":0}}}"

/* A member of an object, in the order of an answer. */
struct member {
    const char *name;
    const char *schema;
};

struct schema {
    const char *name;
    struct member members[8]; /* all of them are always there */
};

static const struct schema objects[] = {
    {"Application",
     {{"token", "{\"$ref\":\"#/components/schemas/Token\"}"},
      {"name", TEXT},
      {"chats_count", COUNT},
      {"last_chat_number", COUNT},
      {"created_at", TIME},
      {"updated_at", TIME}}},
    {"Chat",
     {{"application_token", "{\"$ref\":\"#/components/schemas/Token\"}"},
      {"chat_number", NUMBER},
      {"name", "{\"type\":[\"string\",\"null\"]}"},
      {"messages_count", COUNT},
      {"last_message_number", COUNT},
      {"created_at", TIME},
      {"updated_at", TIME}}},
    {"ChatCreated", {{"chat_number", NUMBER}}},
    {"Message",
     {{"message_number", NUMBER},
      {"message_body", TEXT},
      {"created_at", TIME},
      {"updated_at", TIME}}},
    {"MessageCreated", {{"message_number", NUMBER}}},
    {"Hit",
     {{"message_number", NUMBER},
      {"message_body", TEXT},
      {"created_at", TIME},
      {"updated_at", TIME},
      {"highlights",
       "{\"type\":\"array\",\"maxItems\":16,\"description\":\"Start and end of each occurrence in "
       "code points, the end exclusive.\",\"items\":{\"type\":\"array\",\"minItems\":2,"
       "\"maxItems\":2,\"items\":{\"type\":\"integer\",\"minimum\":0}}}"}}},
    {"Health", {{"status", "{\"type\":\"string\",\"const\":\"ok\"}"}}},
    {"Readiness",
     {{"status", "{\"type\":\"string\",\"enum\":[\"ok\",\"degraded\",\"unavailable\"]}"},
      {"journal", "{\"type\":\"object\",\"required\":[\"ok\",\"pending\"],\"properties\":{\"ok\":"
                  "{\"type\":\"boolean\"},\"pending\":" COUNT "}}"},
      {"store", OK_AND_LAG},
      {"search", OK_AND_LAG},
      {"counts", "{\"type\":\"object\",\"required\":[\"lag_seconds\"],\"properties\":"
                 "{\"lag_seconds\":{\"type\":\"number\",\"minimum\":0}}}"}}},
    {"Version", {{"name", TEXT}, {"version", TEXT}}},
};

static const struct member lists[] = {
    {"Applications", "Application"},
    {"Chats", "Chat"},
    {"Messages", "Message"},
    {"Hits", "Hit"},
};

static void text(struct buffer *out, const char *json)
{
    buffer_append_text(out, json);
}

static void write_object(struct buffer *out, const struct schema *schema)
{
    buffer_printf(out, "\"%s\":{\"type\":\"object\",\"required\":[", schema->name);
    for (const struct member *member = schema->members; member->name; member++)
        buffer_printf(out, "%s\"%s\"", member == schema->members ? "" : ",", member->name);
    text(out, "],\"properties\":{");
    for (const struct member *member = schema->members; member->name; member++)
        buffer_printf(out, "%s\"%s\":%s", member == schema->members ? "" : ",", member->name,
                      member->schema);
    text(out, "}},");
}

/* The codes are those of the table, each once. */
static void write_problem(struct buffer *out)
{
    text(out, "\"Problem\":{\"type\":\"object\",\"description\":\"RFC 9457. `code` is stable, "
              "`detail` is for people, `message` repeats it.\",\"required\":[\"type\",\"title\","
              "\"status\",\"code\",\"detail\",\"message\",\"request_id\"],\"properties\":{"
              "\"type\":{\"const\":\"about:blank\"},\"title\":" TEXT ",\"status\":{\"type\":"
              "\"integer\"},\"detail\":" TEXT ",\"message\":" TEXT ",\"error\":" TEXT
              ",\"parameter\":" TEXT ",\"request_id\":" TEXT
              ",\"code\":{\"type\":\"string\",\"enum\":[");
    const char *before = "";
    for (int i = PROBLEM_NONE + 1; i < PROBLEM_COUNT; i++) {
        const char *code = problem_row((enum problem) i)->code;
        if (strcmp(code, before) != 0)
            buffer_printf(out, "%s\"%s\"", *before ? "," : "", code);
        before = code;
    }
    text(out, "]}}}");
}

static void write_schemas(struct buffer *out)
{
    text(out, "\"schemas\":{\"Token\":{\"type\":\"string\",\"pattern\":\"^[A-Za-z0-9_-]{1,64}$\"},"
              "\"Metrics\":{\"type\":\"string\",\"description\":\"Prometheus text format.\"},"
              "\"OpenApi\":{\"type\":\"object\",\"description\":\"An OpenAPI 3.1 document.\"},");
    for (size_t i = 0; i < sizeof objects / sizeof *objects; i++)
        write_object(out, &objects[i]);
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        buffer_printf(out,
                      "\"%s\":{\"type\":\"array\",\"items\":{\"$ref\":"
                      "\"#/components/schemas/%s\"}},",
                      lists[i].name, lists[i].schema);
    write_problem(out);
    text(out, "}");
}

void openapi_write_components(struct buffer *out)
{
    text(out, "\"components\":{");
    write_schemas(out);
    text(out, ",\"parameters\":{"
              "\"token\":{\"name\":\"token\",\"in\":\"path\",\"required\":true,\"schema\":"
              "{\"$ref\":\"#/components/schemas/Token\"}},"
              "\"chat_number\":{\"name\":\"chat_number\",\"in\":\"path\",\"required\":true,"
              "\"schema\":" NUMBER "},"
              "\"message_number\":{\"name\":\"message_number\",\"in\":\"path\",\"required\":true,"
              "\"schema\":" NUMBER "},"
              "\"IdempotencyKey\":{\"name\":\"Idempotency-Key\",\"in\":\"header\","
              "\"description\":\"Makes a repetition safe: it gets the first answer again.\","
              "\"schema\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":255}},"
              "\"CacheControl\":{\"name\":\"Cache-Control\",\"in\":\"header\","
              "\"description\":\"With max-stale an old state is answered rather than "
              "store_behind.\",\"schema\":{\"type\":\"string\"}}},");
    text(out,
         "\"headers\":{"
         "\"RequestId\":{\"description\":\"The client's, or one made here.\",\"schema\":" TEXT "},"
         "\"Location\":{\"description\":\"Where the new thing is.\",\"schema\":{\"type\":"
         "\"string\",\"format\":\"uri-reference\"}},"
         "\"Replayed\":{\"description\":\"true: this is a repetition, nothing new was made.\","
         "\"schema\":{\"type\":\"string\",\"const\":\"true\"}},"
         "\"Link\":{\"description\":\"rel=next if the list goes on, and rel=first.\","
         "\"schema\":" TEXT "},"
         "\"Behind\":{\"description\":\"The answer is this many seconds old, or unknown.\","
         "\"schema\":" TEXT "},"
         "\"Complete\":{\"description\":\"Whether every change of this chat was searched.\","
         "\"schema\":{\"type\":\"string\",\"enum\":[\"true\",\"false\"]}},"
         "\"RetryAfter\":{\"description\":\"Seconds.\",\"schema\":{\"type\":\"integer\"}}},");
    text(out, "\"securitySchemes\":{\"apiKey\":{\"type\":\"http\",\"scheme\":\"bearer\"}}}");
}
