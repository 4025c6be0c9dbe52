"""The services of docker-compose.yml: real ones take its commands and pass its health checks."""

import os
import subprocess

from parts import ComposeMySQL, ComposeRedis, Proxy, elasticsearch_url
from services import free_port
from topology import compose, health_check


def passes(service: str, replacements: dict[str, str], **environment: str) -> bool:
    """Run the health check of a service here, where it has another port."""
    words = health_check(compose()["services"][service])
    for old, new in replacements.items():
        assert any(old in word for word in words), old
        words = [word.replace(old, new) for word in words]
    ours = {"PATH": os.environ["PATH"]}
    return subprocess.run(words, env={**ours, **environment}, capture_output=True).returncode == 0


def test_redis_loses_and_evicts_nothing():
    with ComposeRedis() as redis:
        settings = compose()["services"]["redis"]["environment"]
        check = {"redis-cli": f"redis-cli -p {redis.port}"}
        assert passes("redis", check, **settings)
        assert not passes("redis", check, REDISCLI_AUTH="another")
        wanted = {"appendonly": "yes", "appendfsync": "always", "save": "",
                  "maxmemory-policy": "noeviction", "maxmemory": str(2 << 30)}  # fmt: skip
        for name, value in wanted.items():
            assert redis.setting(name) == value
        redis.stop()
        assert not passes("redis", check, **settings)


def test_mysql_takes_its_options_and_the_account_that_confab_uses():
    with ComposeMySQL() as mysql:
        settings = compose()["services"]["mysql"]["environment"]
        settings["MYSQL_TCP_PORT"] = str(mysql.port)
        assert passes("mysql", {}, **settings)
        assert not passes("mysql", {}, **{**settings, "MYSQL_PASSWORD": "another"})
        assert mysql.sql("SELECT @@log_bin, @@innodb_buffer_pool_size") == [["0", str(512 << 20)]]
        mysql.stop()
        assert not passes("mysql", {}, **settings)


def test_elasticsearch_is_asked_for_the_health_of_its_cluster():
    with elasticsearch_url() as url:
        assert passes("elasticsearch", {"http://127.0.0.1:9200": url})
        closed = f"http://127.0.0.1:{free_port()}"
        assert not passes("elasticsearch", {"http://127.0.0.1:9200": closed})


def test_the_proxy_is_healthy_while_it_listens():
    with Proxy({"confab": (1, 1), "confab-2": (1, 1)}) as proxy:
        check = {"/127.0.0.1/4000": f"/127.0.0.1/{proxy.port}"}
        assert passes("proxy", check)
    assert not passes("proxy", check)
