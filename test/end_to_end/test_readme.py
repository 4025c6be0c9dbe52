"""The README's example, run as it stands by a shell with the real curl."""

import json
import re
import subprocess

import pytest

from harness import ROOT, clean_environment
from waiting import PATIENCE

# Sends what the block's `curl` says, notes body and status, and prints the body.
CURL = r"""
curl() {
    local reply
    reply=$(command curl -sS -w '\n%{http_code}' "$@") || return
    printf '%s\n\n' "$reply" >> "$REPLIES"
    printf '%s\n' "${reply%$'\n'*}"
}
"""


@pytest.fixture(scope="module")
def block() -> str:
    """The code block that the README marks as runnable."""
    readme = (ROOT / "README.md").read_text()
    (found,) = re.findall(r"<!-- test: curl -->\n```sh\n(.*?)```", readme, re.DOTALL)
    return found


def expected_replies(block: str) -> list[tuple[int, str]]:
    """Status and, where it is given, JSON body of each line, from the comments behind them."""
    return [
        (int(status), body)
        for status, body in re.findall(r"curl .*# (\d{3})(?: (\{.*\}))?", block)
    ]


def test_the_example_has_the_fifteen_lines(block):
    assert len(expected_replies(block)) == len(re.findall(r"\bcurl ", block)) == 15


def test_the_example_works_as_it_stands(block, own_server, tmp_path):
    script = CURL + block.replace("http://localhost:4000", own_server.url)
    assert own_server.url in script
    replies = tmp_path / "replies"
    done = subprocess.run(
        ["bash", "-eu", "-c", script],
        env={**clean_environment(), "REPLIES": str(replies)},
        capture_output=True,
        text=True,
        timeout=60 * PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    answered = re.findall(r"(.*)\n(\d{3})\n\n", replies.read_text())
    expected = expected_replies(block)
    assert [int(status) for _, status in answered] == [status for status, _ in expected]
    for (body, _), (_, wanted) in zip(answered, expected):
        assert not wanted or json.loads(body) == json.loads(wanted)
    hits = [json.loads(body) for body, _ in answered if "highlights" in body]
    assert [[hit["message_body"] for hit in found] for found in hits] == [["Hola!"]]


def test_every_link_of_the_documents_leads_to_a_file():
    for document in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text()):
            assert (document.parent / target).exists(), f"{document.name}: {target}"
