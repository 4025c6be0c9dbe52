"""The image: what is in it, who runs in it, and that it serves, is asked and stops as it should."""

import os
import re
import stat
from pathlib import Path

from client import Client
from container import USER, Container, image_config
from services import free_port


def test_it_runs_the_binary_of_this_version(container):
    source = Path(__file__).parents[2].joinpath("CMakeLists.txt").read_text()
    version = re.search(r"project\(confab VERSION ([\d.]+)", source)[1]
    assert container.output(*container.config["Entrypoint"], "version") == f"confab {version}\n"


def test_it_lacks_no_library_that_the_binary_is_linked_to(container):
    libraries = container.output("ldd", "/usr/local/bin/confab")
    assert "not found" not in libraries
    assert "libczmq" in libraries


def test_it_can_log_in_to_mysql_8(container):
    plugins = list(container.root.glob("usr/lib/*/libmariadb3/plugin/caching_sha2_password.so"))
    assert len(plugins) == 1


def test_it_has_neither_compiler_nor_sources_nor_lists_of_packages(container):
    for path in ("usr/bin/cc", "usr/bin/cmake", "src", "build"):
        assert not container.root.joinpath(path).exists(), path
    assert not any(container.root.joinpath("var/lib/apt/lists").glob("*Packages*"))
    assert not any(container.root.joinpath("var/cache/apt/archives").glob("*.deb"))


def test_an_unprivileged_user_runs_it_who_may_change_nothing_but_the_data(container):
    assert container.output("id", "-u", "-n") == "confab\n"
    assert container.output("id", "-u") == container.output("id", "-g") == f"{USER}\n"
    binary = container.root / "usr/local/bin/confab"
    assert binary.stat().st_uid == 0
    assert stat.S_IMODE(binary.stat().st_mode) == 0o755
    (volume,) = container.config["Volumes"]
    owned = [
        path
        for path in container.root.rglob("*")
        if not path.is_symlink() and path.stat().st_uid == USER
    ]
    assert owned == [container.root / volume.lstrip("/")]


def test_what_it_exposes_is_what_it_serves_by_default(container):
    help_text = container.output("confab", "--help")
    port = re.search(r"--listen\b.*?0\.0\.0\.0:(\d+)", help_text, re.S)[1]
    assert list(container.config["ExposedPorts"]) == [f"{port}/tcp"]


def test_it_serves_is_healthy_keeps_its_data_and_stops():
    port = free_port()
    with Container({"CONFAB_LISTEN": f"127.0.0.1:{port}"}) as container:
        assert not container.is_healthy()
        container.start()
        assert os.stat(f"/proc/{container.pid}").st_uid == USER
        with Client([f"http://127.0.0.1:{port}"]) as client:
            chat = client.create_chat(client.create_application())
            number = client.write(chat, "kept")
        container.stop()
        assert not container.is_healthy()
        assert set(container.data()) >= {"journal.db", "store.db"}

        container.start()
        with Client([f"http://127.0.0.1:{port}"]) as client:
            assert client.read(f"{chat}/messages/{number}")["message_body"] == "kept"
        container.stop()
        assert "1 messages" in container.output("confab", "verify")


def test_its_health_check_gives_up_before_the_engine_does():
    config = image_config()["Healthcheck"]
    assert config["Timeout"] > 5e9  # confab health waits for 5 s
