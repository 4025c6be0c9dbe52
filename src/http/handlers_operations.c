/* SPDX-License-Identifier: MIT */
#include "common/clock.h"
#include "common/metrics.h"
#include "http/handlers.h"
#include "http/json_writer.h"
#include "http/response.h"
#include "http/traffic.h"

/* Who asks for the state wants to hear something soon, whatever is stuck; but a server that
 * hangs is only known to be away after a time-out, and the others are to be told of. */
enum { STATE_WAIT_US = 2500000 };

/* Nothing works, as far as anybody knows. */
static const struct state state_unknown;

/* False if the query actor does not answer. */
static bool ask_state(struct exchange *x, struct state *ret_state)
{
    struct request request = {.type = REQUEST_STATE, .token = "", .text = ""};
    struct reply reply;
    int64_t deadline_us = x->started_us + STATE_WAIT_US;
    return caller_ask(x->worker->caller, &request, deadline_us, &reply) == OK &&
           state_decode(&reply, ret_state) == OK;
}

enum problem get_health(struct exchange *x)
{
    buffer_append_text(response_body(x), "{\"status\":\"ok\"}");
    x->status = 200;
    return PROBLEM_NONE;
}

enum problem get_version(struct exchange *x)
{
    buffer_append_text(response_body(x),
                       "{\"name\":\"confab\",\"version\":\"" CONFAB_VERSION "\"}");
    x->status = 200;
    return PROBLEM_NONE;
}

enum problem get_openapi(struct exchange *x)
{
    const struct buffer *openapi = &x->worker->front->openapi;
    buffer_append(response_body(x), openapi->data, openapi->length);
    x->status = 200;
    return PROBLEM_NONE;
}

/* Milliseconds as JSON or Prometheus seconds. */
static void write_seconds(struct buffer *body, uint64_t ms)
{
    buffer_printf(body, "%llu.%03u", (unsigned long long) (ms / 1000), (unsigned) (ms % 1000));
}

static void write_part(struct buffer *body, const char *name, bool ok, uint64_t lag_ms)
{
    buffer_printf(body, ",\"%s\":{\"ok\":%s,\"lag_seconds\":", name, ok ? "true" : "false");
    write_seconds(body, lag_ms);
    buffer_append(body, "}", 1);
}

/* A server without search does not miss it. */
enum problem get_readiness(struct exchange *x)
{
    struct state state = state_unknown;
    bool answered = ask_state(x, &state);
    bool draining = atomic_load(&x->worker->front->draining);
    bool usable = answered && !draining && (state.journal_ok || state.store_ok);
    bool whole = state.journal_ok && state.store_ok && (state.search_ok || state.search_none) &&
                 !state.closed;
    const char *status = !usable ? "unavailable" : whole ? "ok" : "degraded";

    struct buffer *body = response_body(x);
    buffer_printf(body, "{\"status\":\"%s\",\"journal\":{\"ok\":%s,\"pending\":%llu}", status,
                  state.journal_ok && !state.closed ? "true" : "false",
                  (unsigned long long) state.pending);
    write_part(body, "store", state.store_ok, state.store_lag_ms);
    write_part(body, "search", state.search_ok, state.search_lag_ms);
    buffer_append_text(body, ",\"counts\":{\"lag_seconds\":");
    write_seconds(body, state.counts_lag_ms);
    buffer_append(body, "}}", 2);
    x->status = usable ? 200 : 503;
    return PROBLEM_NONE;
}

static void write_gauge(struct buffer *body, const char *name, const char *help)
{
    buffer_printf(body, "# HELP %s %s.\n# TYPE %s gauge\n", name, help, name);
}

static void write_state(struct buffer *body, const struct state *state)
{
    write_gauge(body, "confab_journal_pending", "Records in the log that are not in the store");
    buffer_printf(body, "confab_journal_pending %llu\n", (unsigned long long) state->pending);
    write_gauge(body, "confab_follower_lag_seconds",
                "Age of the oldest change that a follower has not applied");
    buffer_append_text(body, "confab_follower_lag_seconds{follower=\"persistence\"} ");
    write_seconds(body, state->store_lag_ms);
    if (!state->search_none) {
        buffer_append_text(body, "\nconfab_follower_lag_seconds{follower=\"indexing\"} ");
        write_seconds(body, state->search_lag_ms);
    }
    buffer_append_text(body, "\nconfab_follower_lag_seconds{follower=\"counting\"} ");
    write_seconds(body, state->counts_lag_ms);
    buffer_append(body, "\n", 1);
    write_gauge(body, "confab_counts_lag_seconds", "Age of the oldest change not counted");
    buffer_append_text(body, "confab_counts_lag_seconds ");
    write_seconds(body, state->counts_lag_ms);
    buffer_append(body, "\n", 1);
}

enum problem get_metrics(struct exchange *x)
{
    struct buffer *body = response_body(x);
    struct state state;
    traffic_print(body);
    write_gauge(body, "confab_http_requests_in_flight", "Requests that are being worked on");
    buffer_printf(body, "confab_http_requests_in_flight %zu\n",
                  watch_in_flight(x->worker->front->watch));
    metrics_print(body);
    if (ask_state(x, &state))
        write_state(body, &state);
    x->content_type = "text/plain; version=0.0.4";
    x->status = 200;
    return PROBLEM_NONE;
}
