"""docker-compose.yml as docker-compose itself reads it, and deploy/haproxy.cfg."""

import os
import re
import subprocess
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "docker-compose.yml"
PROXY_FILE = ROOT / "deploy" / "haproxy.cfg"


def compose(**environment: str) -> dict:
    """The file with all variables put in; it must be valid for docker-compose."""
    ours = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    printed = subprocess.run(
        ["docker-compose", "--file", FILE, "--profile", "two", "config"],
        env={**ours, **environment}, stdout=subprocess.PIPE, text=True, timeout=60, check=True,
    ).stdout  # fmt: skip
    return yaml.safe_load(printed)


def confab_services(file: dict) -> dict[str, dict]:
    """Those that run our image."""
    return {name: service for name, service in file["services"].items() if "build" in service}


def published(service: dict) -> list[tuple[str, int]]:
    """Where the host listens, and the port in the container, of each published port."""
    ports = []
    for port in service.get("ports", []):
        where, _, inside = port.removesuffix("/tcp").rpartition(":")
        ports.append((where, int(inside)))
    return ports


def health_check(service: dict) -> list[str]:
    """The words that the engine would run."""
    kind, *words = service["healthcheck"]["test"]
    assert kind in ("CMD", "CMD-SHELL")
    words = [word.replace("$$", "$") for word in words]
    return words if kind == "CMD" else ["/bin/sh", "-c", *words]


def proxy_config(port: int, servers: dict[str, tuple[int, int]]) -> str:
    """The proxy's file for processes of this host: its port, and two ports of each server."""
    text = PROXY_FILE.read_text()
    text, count = re.subn(r"(?m)^    bind :4000$", f"    bind 127.0.0.1:{port}", text)
    assert count == 1
    for name, (public, admin) in servers.items():
        text, count = re.subn(
            rf"(?m)^    server {name} {name}:4000 port 4001$",
            f"    server {name} 127.0.0.1:{public} port {admin}",
            text,
        )
        assert count == 1, name
    return text
