"""Health, readiness, metrics, version and the OpenAPI description."""

import re

import pytest

from client import ALL_APPLICATIONS
from expect import assert_problem
from prometheus import Metrics
from waiting import eventually


def test_healthz_says_ok_and_nothing_else(client):
    reply = client.get("/healthz")
    assert (reply.status, reply.json()) == (200, {"status": "ok"})


def test_readyz_tells_how_far_everything_is(client, chat):
    client.write(chat, "x")
    client.found(chat, "x")
    ready = client.read("/readyz")
    assert ready["status"] == "ok"
    assert ready.keys() == {"status", "journal", "store", "search", "counts"}
    assert ready["journal"].keys() == {"ok", "pending"}
    assert ready["store"].keys() == ready["search"].keys() == {"ok", "lag_seconds"}
    assert ready["counts"].keys() == {"lag_seconds"}
    assert all(ready[part]["ok"] is True for part in ("journal", "store", "search"))
    assert isinstance(ready["journal"]["pending"], int) and ready["journal"]["pending"] >= 0
    for part in ("store", "search", "counts"):
        assert ready[part]["lag_seconds"] >= 0


def test_nothing_is_pending_after_quiet(own_client):
    chat = own_client.create_chat(own_client.create_application())
    for _ in range(20):
        own_client.write(chat, "x")

    def quiet() -> bool:
        ready = own_client.read("/readyz")
        lags = [ready[part]["lag_seconds"] for part in ("store", "search", "counts")]
        return ready["journal"]["pending"] == 0 and lags == [0, 0, 0]

    eventually(quiet, 5, "nothing pending")


def test_version_names_the_program(client):
    version = client.read("/version")
    assert version.keys() == {"name", "version"}
    assert version["name"] == "confab"
    assert re.fullmatch(r"\d+\.\d+.*", version["version"])


def test_there_is_no_page_at_the_root_yet(client):
    assert_problem(client.get("/"), 404, "route_not_found")


METRICS = {
    "confab_http_requests_total": "counter",
    "confab_http_request_duration_seconds": "histogram",
    "confab_journal_pending": "gauge",
    "confab_follower_lag_seconds": "gauge",
    "confab_counts_lag_seconds": "gauge",
    "confab_batch_records": "histogram",
    "confab_idempotent_replays_total": "counter",
}


def test_metrics_are_prometheus_text_with_all_that_is_promised(client, chat):
    client.write(chat, "x")
    reply = client.get("/metrics")
    assert reply.status == 200
    assert reply.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    metrics = Metrics(reply.body.decode())
    for name, kind in METRICS.items():
        assert metrics.types[name] == kind
        if kind == "histogram":
            metrics.assert_histogram(name)
        else:
            assert metrics.named(name), name
            assert all(value >= 0 for value in metrics.named(name).values())
    lags = metrics.named("confab_follower_lag_seconds")
    assert len({dict(labels)["follower"] for labels in lags}) >= 2
    for labels in metrics.named("confab_http_requests_total"):
        assert {name for name, _ in labels} == {"route", "method", "status"}


def test_metrics_count_what_happens(own_client):
    def read() -> Metrics:
        return Metrics(own_client.get("/metrics").body.decode())

    chat = own_client.create_chat(own_client.create_application())
    messages = f"{chat}/messages"
    before = read()
    for _ in range(5):
        own_client.write(chat, "x")
    for _ in range(3):
        own_client.post(messages)
    for _ in range(4):
        own_client.post(f"{messages}?message_body=x", headers={"Idempotency-Key": "k"})
    after = read()

    def growth(name: str, **labels: str) -> float:
        return after.sum(name, **labels) - before.sum(name, **labels)

    assert growth("confab_http_requests_total", method="POST", status="201") == 9
    assert growth("confab_http_requests_total", method="POST", status="400") == 3
    assert growth("confab_idempotent_replays_total") == 3
    assert growth("confab_batch_records_sum") >= 6
    (route,) = {
        dict(labels)["route"]
        for labels, value in after.named("confab_http_requests_total").items()
        if dict(labels)["status"] == "400" and value
    }
    assert growth("confab_http_request_duration_seconds_count", route=route) == 12


def test_metrics_hold_no_tokens_and_do_not_grow_with_paths(own_client):
    paths = [own_client.create_application() for _ in range(30)]
    for number, path in enumerate(paths):
        own_client.get(path)
        own_client.get(f"/nope/{number}")
        own_client.request(f"ODD{number}", path)
    text = own_client.get("/metrics").body.decode()
    assert not any(path.rpartition("/")[2] in text for path in paths)
    assert "nope/" not in text
    assert len(Metrics(text).named("confab_http_requests_total")) < 30


# Every route of the contract with its methods, and statuses that each of them must name.
OPENAPI = {
    "": {"get": "200 400 401", "post": "201 400 401 413 415 422 503"},
    "/{}": {
        "get": "200 401 404 503",
        "put": "204 400 401 404 422 503",
        "patch": "204 400 401 404 422 503",
        "delete": "204 401 404 503",
    },
    "/{}/chats": {"get": "200 400 404 503", "post": "201 400 404 413 415 422 503"},
    "/{}/chats/{}": {
        "get": "200 404 503",
        "put": "204 400 404 422 503",
        "patch": "204 400 404 422 503",
        "delete": "204 404 503",
    },
    "/{}/chats/{}/messages": {"get": "200 400 404 503", "post": "201 400 404 413 415 422 503"},
    "/{}/chats/{}/messages/{}": {
        "get": "200 404 503",
        "put": "204 400 404 413 415 422 503",
        "patch": "204 400 404 413 415 422 503",
        "delete": "204 404 503",
    },
    "/{}/chats/{}/messages/search": {"get": "200 400 404 422 503"},
}


@pytest.fixture
def openapi(client) -> dict:
    return client.read("/api/v1/openapi.json")


@pytest.fixture
def described(openapi) -> dict:
    """The described paths with anonymous parameters, any server prefix put before them."""
    prefix = openapi.get("servers", [{}])[0].get("url", "").rstrip("/")
    prefix = re.sub(r"^https?://[^/]*", "", prefix)
    paths = {}
    for path, item in openapi["paths"].items():
        full = path if path.startswith(prefix) else prefix + path
        paths[re.sub(r"\{[^}]*\}", "{}", full)] = item
    return paths


def test_openapi_is_version_3_1(openapi):
    assert re.fullmatch(r"3\.1\.\d+", openapi["openapi"])
    assert openapi["info"]["title"] and openapi["info"]["version"]


@pytest.mark.parametrize("route", OPENAPI)
def test_openapi_names_every_route_method_and_status(described, route):
    item = described[ALL_APPLICATIONS + route]
    for method, statuses in OPENAPI[route].items():
        assert set(statuses.split()) <= item[method]["responses"].keys(), (route, method)


def test_openapi_names_every_error_code(openapi, client):
    text = client.get("/api/v1/openapi.json").body.decode()
    codes = """bad_request malformed_path malformed_query malformed_form malformed_json
        message_body_missing query_missing query_too_long invalid_parameter invalid_cursor
        invalid_idempotency_key unauthorized route_not_found application_not_found chat_not_found
        message_not_found method_not_allowed request_timeout content_too_large uri_too_long
        unsupported_media_type expectation_failed headers_too_large name_missing name_too_long
        message_body_too_long invalid_text invalid_type idempotency_key_reuse internal
        journal_unavailable store_unavailable store_behind search_unavailable overloaded
        shutting_down"""
    assert [code for code in codes.split() if code not in text] == []


def test_every_reference_in_openapi_leads_somewhere(openapi):
    def references(node):
        if isinstance(node, dict):
            if "$ref" in node:
                yield node["$ref"]
            for value in node.values():
                yield from references(value)
        elif isinstance(node, list):
            for value in node:
                yield from references(value)

    for reference in set(references(openapi)):
        assert reference.startswith("#/"), reference
        node = openapi
        for part in reference[2:].split("/"):
            node = node[part.replace("~1", "/").replace("~0", "~")]
