"""docker-compose.yml: valid, and all that it names is in the image, the settings or a service."""

import importlib.util
import json
import re
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import jsonschema
import pytest
import yaml

from container import Container
from topology import FILE, PROXY_FILE, compose, confab_services, published

PORTS = {"redis": 6379, "mysql": 3306, "elasticsearch": 9200}  # where they listen by default
FOLDERS = {
    "redis": "/data",
    "mysql": "/var/lib/mysql",
    "elasticsearch": "/usr/share/elasticsearch/data",
}
SHARDS = 8  # of a log in Redis, if nothing else is said
URLS = {
    "CONFAB_JOURNAL": ("redis", "redis"),
    "CONFAB_STORE": ("mysql", "mysql"),
    "CONFAB_SEARCH": ("http", "elasticsearch"),
}


@pytest.fixture(scope="module")
def file() -> dict:
    return compose()


def port_of(address: str) -> int:
    return int(address.rpartition(":")[2])


def test_it_is_valid_against_the_schema():
    package = importlib.util.find_spec("compose").submodule_search_locations[0]
    schema = json.loads(Path(package, "config", "compose_spec.json").read_text())
    validator = jsonschema.Draft7Validator(schema)
    text = FILE.read_text()
    validator.validate(yaml.safe_load(text))
    assert not validator.is_valid(yaml.safe_load(text.replace("retries:", "retry:")))


def test_the_first_profile_is_the_full_stack_and_the_second_adds_a_server_and_a_proxy(file):
    profiles = {name: service.get("profiles") for name, service in file["services"].items()}
    always = [name for name, profile in profiles.items() if not profile]
    assert sorted(always) == ["confab", "elasticsearch", "mysql", "redis"]
    assert {name for name, profile in profiles.items() if profile == ["two"]} == {
        "confab-2",
        "proxy",
    }


def test_both_servers_are_the_same_but_for_the_published_port(file):
    first, second = (dict(file["services"][name]) for name in ("confab", "confab-2"))
    assert confab_services(file).keys() == {"confab", "confab-2"}
    assert first.pop("ports") and second.pop("profiles")
    assert first == second


def test_every_variable_of_confab_is_a_setting(file, container):
    settings = set(re.findall(r"^  --([a-z-]+)", container.output("confab", "--help"), re.M))
    assert "journal" in settings
    for service in confab_services(file).values():
        for name in service["environment"]:
            assert name.removeprefix("CONFAB_").lower().replace("_", "-") in settings, name


def test_confab_takes_every_value_that_is_in_it(file):
    environment = file["services"]["confab"]["environment"]
    with Container(environment) as container:
        assert container.run("confab", "version").returncode == 0
        container.environment = {**environment, "CONFAB_ADMIN": "everywhere"}
        assert container.run("confab", "version").returncode == 2
        container.environment = {**environment, "CONFAB_JOURNAL": "redis:/nowhere"}
        assert container.run("confab", "version").returncode == 2


def test_the_addresses_are_those_of_its_services_and_their_passwords_agree():
    values = {"REDIS_PASSWORD": "r3d", "MYSQL_PASSWORD": "my5", "MYSQL_ROOT_PASSWORD": "r00t"}
    for given in ({}, values):
        file = compose(**given)
        services = file["services"]
        for confab in confab_services(file).values():
            urls = {name: urlsplit(confab["environment"][name]) for name in URLS}
            for name, (scheme, service) in URLS.items():
                url = urls[name]
                assert (url.scheme, url.hostname, url.port) == (scheme, service, PORTS[service])
                assert service in confab["depends_on"]
            redis, mysql = services["redis"], services["mysql"]["environment"]
            password = urls["CONFAB_JOURNAL"].password
            assert password == given.get("REDIS_PASSWORD", "confab")
            assert password == redis["command"][redis["command"].index("--requirepass") + 1]
            assert password == redis["environment"]["REDISCLI_AUTH"]
            store = urls["CONFAB_STORE"]
            assert store.username == mysql["MYSQL_USER"]
            assert store.password == given.get("MYSQL_PASSWORD", "confab")
            assert store.password == mysql["MYSQL_PASSWORD"]
            assert store.path == "/" + mysql["MYSQL_DATABASE"]
        assert mysql["MYSQL_ROOT_PASSWORD"] == given.get("MYSQL_ROOT_PASSWORD", "confab")


def test_only_confab_and_the_proxy_are_published_and_only_to_this_host(file, container):
    (exposed,) = container.config["ExposedPorts"]
    ports = {name: published(service) for name, service in file["services"].items()}
    inside = int(exposed.removesuffix("/tcp"))
    assert {name: listed for name, listed in ports.items() if listed} == {
        "confab": [("127.0.0.1:4000", inside)],
        "proxy": [("127.0.0.1:4080", proxy_port())],
    }
    changed = compose(CONFAB_PUBLISH="0.0.0.0:80", PROXY_PUBLISH="0.0.0.0:8080")["services"]
    assert published(changed["confab"]) == [("0.0.0.0:80", inside)]
    assert published(changed["proxy"]) == [("0.0.0.0:8080", proxy_port())]


def proxy_port() -> int:
    return int(re.search(r"^    bind :(\d+)$", PROXY_FILE.read_text(), re.M)[1])


def test_the_proxy_asks_every_server_at_the_ports_that_it_has(file, container):
    servers = re.findall(r"^    server (\S+) (\S+):(\d+) port (\d+)$", PROXY_FILE.read_text(), re.M)
    assert {name for name, *_ in servers} == confab_services(file).keys()
    (exposed,) = container.config["ExposedPorts"]
    for name, host, port, check_port in servers:
        assert host == name
        assert f"{port}/tcp" == exposed
        assert int(check_port) == port_of(file["services"][name]["environment"]["CONFAB_ADMIN"])
        assert name in file["services"]["proxy"]["depends_on"]
    threads = re.search(r"--threads\b.*?(\d+)", container.output("confab", "--help"), re.S)[1]
    assert int(re.search(r"maxconn (\d+)", PROXY_FILE.read_text())[1]) < int(threads)


def test_the_proxy_takes_its_file_and_gets_it_where_it_looks_for_it(file):
    (mount,) = file["services"]["proxy"]["volumes"]
    source, target, mode = mount.split(":")
    assert (Path(source), mode) == (PROXY_FILE, "ro")
    assert target == "/usr/local/etc/haproxy/haproxy.cfg"  # the image's own command names it
    result = subprocess.run(["haproxy", "-c", "-q", "-f", PROXY_FILE], capture_output=True)
    assert (result.returncode, result.stdout, result.stderr) == (0, b"", b"")


def test_what_must_outlive_a_container_is_in_a_volume(file):
    assert file["volumes"].keys() == FOLDERS.keys()
    for service, folder in FOLDERS.items():
        assert file["services"][service]["volumes"] == [f"{service}:{folder}:rw"]


def test_every_service_but_the_image_of_our_own_has_a_health_check_of_its_own(file, container):
    for name, service in file["services"].items():
        assert ("healthcheck" in service) != (name in confab_services(file)), name
    assert container.config["Healthcheck"]["Test"] == ["CMD", "confab", "health"]


def test_a_full_backlog_fits_into_redis_with_room_to_spare(file):
    """So that Redis refuses nothing while one of the others is away."""
    words = file["services"]["redis"]["command"]
    memory = words[words.index("--maxmemory") + 1]
    assert memory.endswith("gb")
    for service in confab_services(file).values():
        backlog = service["environment"]["CONFAB_BACKLOG_BYTES"]
        assert backlog.endswith("M")
        assert SHARDS * int(backlog[:-1]) * 2 <= int(memory[:-2]) * 1024


def test_what_a_stop_may_take_is_granted(file):
    """In flight 10 s, and 5 s for each of three followers."""
    for service in confab_services(file).values():
        assert service["stop_grace_period"] == "40s"
