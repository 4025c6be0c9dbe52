"""What the contract says about every reply, as assertions."""

import re
from http import HTTPStatus

from client import Client, Reply
from waiting import eventually

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
TOKEN = re.compile(r"[A-Za-z0-9]{36}")
VISIBLE = re.compile(r"[\x21-\x7e]{1,128}")

# Reason phrases of RFC 9110 where those of its predecessors, which HTTPStatus has, differ.
NEW_PHRASES = {413: "Content Too Large", 414: "URI Too Long", 422: "Unprocessable Content"}
OLD_PHRASES = {413: "Payload Too Large"}

PROBLEM_MEMBERS = {"type", "title", "status", "code", "detail", "message"}
OPTIONAL_MEMBERS = {"parameter", "index", "request_id", "error"}


def assert_problem(reply: Reply, status: int, code: str | set[str], **members) -> dict:
    """The reply is this error, whole and in the right form; `members` must be in it as given."""
    codes = {code} if isinstance(code, str) else code
    assert reply.status == status, f"expected {status} {code}: {reply}"
    assert reply.headers["Content-Type"] == "application/problem+json", reply
    assert int(reply.headers["Content-Length"]) == len(reply.body), reply
    assert VISIBLE.fullmatch(reply.headers["X-Request-Id"] or ""), reply
    assert reply.headers["Date"], reply
    problem = reply.json()
    phrases = {HTTPStatus(status).phrase, NEW_PHRASES.get(status), OLD_PHRASES.get(status)}
    assert problem["type"] == "about:blank"
    assert problem["title"] in phrases
    assert problem["status"] == status
    assert problem["code"] in codes, f"expected {codes}: {reply}"
    assert problem["detail"] and isinstance(problem["detail"], str)
    assert problem["message"] == problem["detail"]
    assert PROBLEM_MEMBERS <= problem.keys() <= PROBLEM_MEMBERS | OPTIONAL_MEMBERS
    assert ("error" in problem) == (problem["code"] == "message_body_missing")
    assert problem.get("error", problem["detail"]) == problem["detail"]
    assert problem.get("request_id", reply.headers["X-Request-Id"]) == reply.headers["X-Request-Id"]
    for name, value in members.items():
        assert problem.get(name) == value, f"expected {name} = {value!r}: {problem}"
    if status == 401:
        assert reply.headers["WWW-Authenticate"].startswith("Bearer"), reply
    if status == 405:
        assert allowed(reply), reply
    if status == 503:
        assert int(reply.headers["Retry-After"]) >= 0, reply
    return problem


def assert_created(reply: Reply, location: str) -> dict:
    """The reply is a 201 for this path."""
    assert reply.status == 201, reply
    assert reply.headers["Content-Type"] == "application/json; charset=utf-8", reply
    assert reply.headers["Location"] == location, reply
    return reply.json()


def assert_done(reply: Reply) -> None:
    """The reply is a 204 with nothing in it."""
    assert reply.status == 204, reply
    assert reply.body == b""


def assert_times(thing: dict) -> None:
    """created_at and updated_at are well-formed and in order."""
    assert TIME.fullmatch(thing["created_at"]), thing
    assert TIME.fullmatch(thing["updated_at"]), thing
    assert thing["created_at"] <= thing["updated_at"], thing


def allowed(reply: Reply) -> set[str]:
    """The methods in the Allow header."""
    methods = [method.strip() for method in (reply.headers["Allow"] or "").split(",")]
    assert len(methods) == len(set(methods)), reply
    return set(methods)


def links(reply: Reply) -> dict[str, str]:
    """The targets of the Link header by their relation."""
    header = ", ".join(reply.headers.get_all("Link") or [])
    parts = re.findall(r'<([^<>]*)>\s*;\s*rel="([^"]*)"', header)
    assert ", ".join(f'<{target}>; rel="{rel}"' for target, rel in parts) == header, header
    assert len(parts) == len({rel for _, rel in parts}), header
    for target, _ in parts:
        assert target.startswith("/api/v1/"), header
    return {rel: target for target, rel in parts}


def pages(client: Client, target: str) -> list[list[dict]]:
    """All pages from this one on, by their Link headers; none but the first and last is empty."""
    result = []
    while target:
        reply = client.get(target)
        assert reply.status == 200, reply
        result.append(reply.json())
        target = links(reply).get("next")
        assert result[-1] or not target, "a page that is empty has no next"
        assert len(result) < 2000, "the walk does not end"
    return result


def walk(client: Client, target: str) -> list[dict]:
    """All items from this page on."""
    return [item for page in pages(client, target) for item in page]


def assert_counts(client: Client, path: str, within: float, **counts: int) -> None:
    """The counts of the thing at this path become these within some seconds."""

    def seen() -> bool:
        thing = client.read(path)
        return all(thing[name] == count for name, count in counts.items())

    eventually(seen, within, f"{counts} of {path}")
