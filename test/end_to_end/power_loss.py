"""Power loss: of what a process has written, a disk keeps what was synced (see power_loss.c)."""

import subprocess
from pathlib import Path

from services import Redis

SOURCE = Path(__file__).with_name("power_loss.c")


def redis_that_can_lose_power(folder: Path, **options: str) -> Redis:
    """Without rewrites: its log is then one file that is only appended to."""
    library = folder / "power_loss.so"
    subprocess.run(
        ["cc", "-Wall", "-Werror", "-shared", "-fPIC", SOURCE, "-o", library, "-ldl"], check=True
    )
    environment = {"LD_PRELOAD": str(library)}
    return Redis(environment=environment, auto_aof_rewrite_percentage="0", **options)


def lose_power(redis: Redis) -> int:
    """It is gone at once, and with it all that was not on disk; how many bytes that was."""
    redis.kill()
    lost = 0
    files = list((redis.data / "appendonlydir").glob("*.incr.aof"))
    assert files, "no log"
    for file in files:
        note = file.with_name(file.name + ".synced")
        synced = int(note.read_text()) if note.exists() else 0
        size = file.stat().st_size
        assert synced <= size, f"{file}: {synced} of {size} bytes are synced"
        with open(file, "r+b") as log:
            log.truncate(synced)
        lost += size - synced
    return lost
