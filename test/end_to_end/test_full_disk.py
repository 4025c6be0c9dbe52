"""A full disk: writes are refused, nothing answered is lost, and it heals without hands."""

import subprocess

import pytest

from expect import assert_problem, walk
from harness import Server
from waiting import eventually

pytestmark = pytest.mark.embedded


@pytest.fixture
def small_disk(private, tmp_path):
    """A folder on a file system of 16 MiB."""
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", tmp_path], capture_output=True
    )
    if mounted.returncode != 0:
        pytest.skip("cannot mount a tmpfs here (needs root)")
    yield tmp_path
    subprocess.run(["umount", tmp_path], check=True)


def test_a_full_disk_refuses_writes_and_heals(small_disk, tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("log"), data=small_disk / "data").start()
    filler = small_disk / "filler"
    try:
        with server.client() as client:
            chat = client.create_chat(client.create_application())
            answered = {client.write(chat, "before"): "before"}
            with open(filler, "wb", buffering=0) as file:
                with pytest.raises(OSError):
                    while file.write(b"\0" * 4096):
                        pass
            refused = None
            while refused is None and len(answered) < 2000:
                body = f"{len(answered)}" + "x" * 4000
                reply = client.post(f"{chat}/messages", json={"message_body": body})
                if reply.status == 201:
                    answered[reply.json()["message_number"]] = body
                else:
                    refused = reply
            assert_problem(refused, 503, {"journal_unavailable", "overloaded"})
            assert client.get("/healthz").status == 200
            filler.unlink()
            eventually(
                lambda: client.post(f"{chat}/messages?message_body=after").status == 201,
                15,
                "writes go on",
            )
            stored = {
                item["message_number"]: item["message_body"]
                for item in walk(client, f"{chat}/messages?limit=1000")
            }
        assert {number: stored.get(number) for number in answered} == answered
        assert sorted(stored) == list(range(1, len(stored) + 1))
    finally:
        server.close()
