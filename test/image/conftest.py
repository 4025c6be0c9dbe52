"""What the tests of the image share: the modules of test/end_to_end, and a container."""

import os
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parent.parent / "end_to_end"))

from container import Container  # noqa: E402
from services import free_port  # noqa: E402


def pytest_configure():
    if "CONFAB_BUILDAH" not in os.environ:
        raise pytest.UsageError("run scripts/image: it builds the image that is tested here")


@pytest.fixture(scope="module")
def container():
    """A container that serves the embedded stack on a port of its own."""
    with Container({"CONFAB_LISTEN": f"127.0.0.1:{free_port()}"}) as container:
        yield container
