"""The commands of confab, run to their end."""

import os
import subprocess
from pathlib import Path

from waiting import PATIENCE

ROOT = Path(__file__).resolve().parents[2]
BINARY = os.environ.get("CONFAB_BINARY", str(ROOT / "build" / "confab"))


def clean_environment() -> dict[str, str]:
    """Our environment without any setting of confab."""
    return {name: value for name, value in os.environ.items() if not name.startswith("CONFAB_")}


def run_confab(*arguments, input: bytes = b"", **settings) -> subprocess.CompletedProcess:
    """Run one command to its end; the caller judges the exit code."""
    command = [BINARY, *map(str, arguments), *flags(settings)]
    return subprocess.run(
        command, input=input, capture_output=True, env=clean_environment(), timeout=60 * PATIENCE
    )


def flags(settings: dict) -> list[str]:
    """counts_flush="1s" becomes --counts-flush 1s."""
    return [
        part
        for name, value in settings.items()
        for part in (f"--{name.replace('_', '-')}", str(value))
    ]


def succeeds(result: subprocess.CompletedProcess) -> bytes:
    """Assert that a command ended with 0, and return what it printed."""
    assert result.returncode == 0, (
        f"{result.args} ended with {result.returncode}\n"
        f"{result.stdout.decode(errors='replace')[-2000:]}\n"
        f"{result.stderr.decode(errors='replace')[-2000:]}"
    )
    return result.stdout
