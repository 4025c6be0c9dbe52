"""Waiting for events with a deadline, and doing things at the same time."""

import os
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Callable, Iterable, TypeVar

# Multiplies every deadline and time limit: for sanitizers, valgrind and slow machines.
PATIENCE = float(os.environ.get("CONFAB_PATIENCE", "1"))

Answer = TypeVar("Answer")


def eventually(question: Callable[[], Answer], seconds: float = 10, what: str = "") -> Answer:
    """Ask until the answer is true and return it; fail when the deadline has passed."""
    deadline = time.monotonic() + seconds * PATIENCE
    while True:
        answer = question()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what or question} (last: {answer!r})")
        time.sleep(0.02)


def in_parallel(task: Callable[..., Answer], arguments: Iterable) -> list[Answer]:
    """Run task(argument) for all arguments at once, a thread each; the first failure is raised."""
    arguments = list(arguments)
    with ThreadPoolExecutor(max_workers=len(arguments)) as pool:
        return list(pool.map(task, arguments))
