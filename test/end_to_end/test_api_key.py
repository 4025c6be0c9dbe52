"""With an API key every request under /api/v1 and /metrics must show it."""

import pytest

from client import ALL_APPLICATIONS
from expect import assert_problem
from harness import Server

KEY = "secret-key-0123456789"
GOOD = {"Authorization": f"Bearer {KEY}"}


@pytest.fixture(scope="module", params=["flag", "environment"])
def locked(request, private, tmp_path_factory):
    """A server with an API key, told in either way."""
    by_flag = request.param == "flag"
    given = {"api_key": KEY} if by_flag else {"environment": {"CONFAB_API_KEY": KEY}}
    server = Server(tmp_path_factory.mktemp("locked"), **given).start()
    yield server
    server.close()


@pytest.fixture
def stranger(locked):
    with locked.client() as client:
        yield client


@pytest.fixture
def owner(locked):
    with locked.client(GOOD) as client:
        yield client


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        f"Bearer {KEY}x",
        f"Bearer {KEY[:-1]}",
        f"Bearer {KEY.upper()}",
        f"Bearer  {KEY} x",
        KEY,
        f"Basic {KEY}",
        f"Bearer{KEY}",
        "Bearer " + "x" * 5000,
    ],
)
def test_without_the_right_key_nothing_is_told(stranger, owner, authorization):
    headers = {} if authorization is None else {"Authorization": authorization}
    path = owner.create_application()
    for method, target in [
        ("GET", ALL_APPLICATIONS),
        ("POST", f"{ALL_APPLICATIONS}?name=x"),
        ("POST", f"{ALL_APPLICATIONS}?a=%zz"),
        ("GET", path),
        ("DELETE", path),
        ("GET", f"{ALL_APPLICATIONS}/nobody"),
        ("GET", f"{path}/chats/1/messages/search"),
        ("GET", "/api/v1/openapi.json"),
        ("GET", "/metrics"),
    ]:
        assert_problem(stranger.request(method, target, headers=headers), 401, "unauthorized")
    assert owner.get(path).status == 200


def test_with_the_key_everything_works(owner):
    chat = owner.create_chat(owner.create_application())
    assert owner.write(chat, "x") == 1
    assert owner.found(chat, "x") == [1]
    for path in (ALL_APPLICATIONS, "/metrics", "/api/v1/openapi.json"):
        assert owner.get(path).status == 200


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/version"])
def test_health_and_version_need_no_key(stranger, path):
    assert stranger.get(path).status == 200


@pytest.mark.parametrize("name", ["api_key", "key", "token", "access_token", "authorization"])
def test_a_key_in_the_query_string_does_not_count(stranger, name):
    for value in (KEY, f"Bearer {KEY}"):
        reply = stranger.get(ALL_APPLICATIONS, query={name: value})
        assert_problem(reply, 401, "unauthorized")


def test_options_need_no_key(stranger):
    for path in (ALL_APPLICATIONS, f"{ALL_APPLICATIONS}/x/chats", "/metrics"):
        assert stranger.options(path).status == 204


def test_the_key_comes_after_route_and_method_and_before_the_body(stranger):
    assert_problem(stranger.get("/api/v1/%zz"), 400, "malformed_path")
    assert_problem(stranger.get("/api/v1/nope"), 404, "route_not_found")
    assert_problem(stranger.delete(ALL_APPLICATIONS), 405, "method_not_allowed")
    with stranger.raw() as connection:
        connection.ask("POST", ALL_APPLICATIONS, "Expect: x", "Content-Length: 99999999")
        assert_problem(connection.read_reply(), 401, "unauthorized")


def test_head_without_the_key_is_refused_without_a_body(stranger):
    reply = stranger.head(ALL_APPLICATIONS)
    assert (reply.status, reply.body) == (401, b"")


def test_the_key_is_not_in_the_log(locked, stranger, owner):
    owner.get(ALL_APPLICATIONS)
    stranger.get(ALL_APPLICATIONS, headers={"Authorization": f"Bearer {KEY}x"})
    assert KEY not in locked.log_text()
