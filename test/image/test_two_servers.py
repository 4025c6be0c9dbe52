"""Profile two: two servers of the image on the full stack, behind the real proxy."""

import http.client
import itertools
import threading
import uuid

import pytest

from client import ALL_APPLICATIONS, Client
from container import Container
from parts import ComposeMySQL, ComposeRedis, Proxy, elasticsearch_url
from services import free_port
from topology import compose, confab_services
from waiting import eventually


class Topology:
    """The file's services as processes of this host."""

    def __init__(self, search: str):
        self.redis, self.mysql = ComposeRedis(), ComposeMySQL()
        places = {
            "@redis:6379": f"@127.0.0.1:{self.redis.port}",
            "@mysql:3306": f"@127.0.0.1:{self.mysql.port}",
            "http://elasticsearch:9200": search,
        }
        self.ports, self.servers = {}, {}
        for name, service in confab_services(compose()).items():
            public, admin = self.ports[name] = (free_port(), free_port())
            environment = dict(service["environment"])
            for variable in ("CONFAB_JOURNAL", "CONFAB_STORE", "CONFAB_SEARCH"):
                (old,) = [old for old in places if old in environment[variable]]
                environment[variable] = environment[variable].replace(old, places[old])
            environment["CONFAB_SEARCH"] += f"-{uuid.uuid4().hex}"
            environment["CONFAB_LISTEN"] = f"127.0.0.1:{public}"
            environment["CONFAB_ADMIN"] = f"127.0.0.1:{admin}"
            self.servers[name] = Container(environment)
        index = self.servers["confab"].environment["CONFAB_SEARCH"]
        self.servers["confab-2"].environment["CONFAB_SEARCH"] = index
        self.proxy = Proxy(self.ports)

    def start(self) -> None:
        """The servers before what they need."""
        for server in self.servers.values():
            server.spawn()
        for service in (self.redis, self.mysql):
            service.start()
        for name, server in self.servers.items():
            eventually(server.is_serving, 60, f"{name} healthy")
            eventually(lambda: self.proxy.is_up(name), 10, f"{name} up")
            with Client([f"http://127.0.0.1:{self.ports[name][1]}"]) as client:
                eventually(lambda: status(client) == "ok", 30, f"{name} ready")

    def close(self) -> None:
        self.proxy.close()
        for part in (*self.servers.values(), self.redis, self.mysql):
            part.close()


def status(client: Client) -> str:
    return client.get("/readyz").json()["status"]


@pytest.fixture(scope="module")
def topology():
    with elasticsearch_url() as search:
        topology = Topology(search)
        try:
            topology.start()
            yield topology
        finally:
            topology.close()


class Traffic:
    """Creations with a key and GETs, one after the other, through the proxy, as a client sends
    them: again what got no answer, and what was told to wait for the store."""

    def __init__(self, url: str):
        self.client = Client([url])
        self.chat = self.client.create_chat(self.client.create_application())
        self.numbers: list[int] = []
        self.lost: list[str] = []
        self.failures: list[str] = []
        self.ending = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def __enter__(self) -> "Traffic":
        self.thread.start()
        self.goes_on()
        return self

    def __exit__(self, *_) -> None:
        self.ending.set()
        self.thread.join()
        self.client.close()

    def run(self) -> None:
        for turn in itertools.count():
            if self.ending.is_set():
                return
            key = {"Idempotency-Key": f"{self.chat}-{turn}"}
            body = {"message_body": f"{turn}"}
            try:
                made = self.ask("POST", f"{self.chat}/messages", json=body, headers=key)
                self.numbers.append(made["message_number"])
                read = self.ask("GET", f"{self.chat}/messages/{self.numbers[-1]}")
                assert read["message_body"] == f"{turn}"
            except Exception as failure:  # whatever it is, the test shows it
                self.failures.append(f"{turn}: {failure!r}")

    def ask(self, method: str, path: str, **options) -> dict:
        def attempt() -> dict | None:
            try:
                reply = self.client.request(method, path, **options)
            except (http.client.HTTPException, ConnectionError) as failure:
                self.lost.append(f"{method}: {failure!r}")
                return None
            if reply.status == 502:
                self.lost.append(f"{method}: {reply}")
                return None
            if reply.status == 503 and reply.json()["code"] == "store_behind":
                return None
            assert reply.status in (200, 201), reply
            return reply.json()

        return eventually(attempt, 15, f"{method} {path}")

    def goes_on(self) -> None:
        """Wait until more was written and read."""
        now = len(self.numbers)
        eventually(lambda: self.failures or len(self.numbers) > now + 50, 30, "traffic")

    def check(self, lost_max: int) -> None:
        assert not self.failures
        assert len(self.lost) <= lost_max, self.lost
        assert self.numbers == list(range(1, len(self.numbers) + 1))


def test_a_change_through_one_server_is_seen_through_the_other(topology):
    urls = [f"http://127.0.0.1:{public}" for public, _ in topology.ports.values()]
    with Client(urls) as client:
        chat = client.create_chat(client.create_application())
        for number in range(1, 5):
            assert client.write(chat, f"message {number}") == number
            assert client.read(f"{chat}/messages/{number}")["message_body"] == f"message {number}"
        assert client.found(chat, "essage 3") == [3]


@pytest.mark.parametrize("name", ["confab", "confab-2"])
@pytest.mark.parametrize("way, lost_max", [("stop", 0), ("kill", 1)])  # 1: what was in flight
def test_gets_and_creations_with_a_key_go_on_when_a_server_ends(topology, name, way, lost_max):
    server = topology.servers[name]
    with Traffic(topology.proxy.url) as traffic:
        getattr(server, way)()
        eventually(lambda: not topology.proxy.is_up(name), 10, f"{name} is down")
        traffic.goes_on()
        server.start()
        eventually(lambda: topology.proxy.is_up(name), 30, f"{name} is up")
        traffic.goes_on()
    traffic.check(lost_max)


def test_without_any_server_the_proxy_says_so_as_confab_would(topology):
    for server in topology.servers.values():
        server.stop()
    for name in topology.servers:
        eventually(lambda: not topology.proxy.is_up(name), 10, f"{name} is down")
    with Client([topology.proxy.url]) as client:
        reply = client.get(ALL_APPLICATIONS)
        assert (reply.status, reply.json()["code"]) == (503, "no_server")
        assert reply.headers["Content-Type"] == "application/problem+json"
        assert reply.headers["Retry-After"] == "1"


def test_afterwards_all_is_sound_and_nothing_was_written_in_the_containers(topology):
    """So they may be read-only, as the file has it."""
    for server in topology.servers.values():
        if server.process:
            server.stop()
    for server in topology.servers.values():
        assert server.output("confab", "verify").strip().endswith("0 faults")
        assert server.changed_files() == []
        assert server.data() == []
