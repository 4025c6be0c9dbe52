"""Real services of our own: Redis, MariaDB, MySQL and Elasticsearch, each a process on a free
port of 127.0.0.1 with a folder of its own. scripts/services and the tests share this module.

A service is started, stopped, killed and restarted like a process of an operator's: its port and
its folder stay. What it needs is installed by `scripts/install test` and `scripts/services get`.
"""

import contextlib
import http.client
import json
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

PATIENCE = float(os.environ.get("CONFAB_PATIENCE", "1"))


def cache_folder() -> Path:
    """Where `scripts/services get` unpacks Elasticsearch and MySQL. They refuse to run as root,
    and the ordinary user who then runs them cannot look into root's home."""
    if "CONFAB_TEST_CACHE" in os.environ:
        return Path(os.environ["CONFAB_TEST_CACHE"])
    if os.geteuid() == 0:
        return Path("/var/cache/confab")
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "confab"


def free_port() -> int:
    """A port nobody listens on, below the range from which the kernel takes clients' ports."""
    while True:
        port = random.SystemRandom().randrange(20000, 32000)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


class ServiceError(Exception):
    """A service that is not there, or does not do what it must; the message says what to do."""


class Service:
    """One service's process, port and folder. The folder is removed by close() if we made it."""

    name = ""
    seconds = 30  # how long it may take until it answers
    needs_ordinary_user = False

    def __init__(self, folder: Path | None = None, environment: dict[str, str] | None = None):
        self.owns_folder = folder is None
        self.folder = Path(folder or tempfile.mkdtemp(prefix=f"confab-{self.name}-"))
        self.folder.mkdir(parents=True, exist_ok=True)
        self.data = self.folder / "data"
        self.port = free_port()
        self.environment = environment or {}
        self.user = "nobody" if self.needs_ordinary_user and os.geteuid() == 0 else None
        self.process: subprocess.Popen | None = None
        self.guard: subprocess.Popen | None = None

    # What each service knows about itself.

    def prepare(self) -> None:
        """Whatever its folder needs before it is started, also before the second time."""
        self.data.mkdir(exist_ok=True)

    def command(self) -> list[str]:
        raise NotImplementedError

    def answers(self) -> bool:
        """Whether it does its work by now; may raise OSError."""
        raise NotImplementedError

    # What all of them do.

    def spawn(self) -> "Service":
        """Start the process; wait_ready() waits for it."""
        assert not self.process, f"{self} runs already"
        self.give_to_user()
        self.prepare()
        self.process = self.popen(self.command(), self.environment)
        self.guard = self.popen_guard()
        return self

    def popen(self, command: list, environment: dict[str, str]) -> subprocess.Popen:
        """A process in a group of its own, so that Ctrl-C is the caller's business only."""
        with open(self.folder / "log", "ab") as log:
            try:
                return subprocess.Popen(
                    [str(part) for part in command],
                    cwd=self.folder,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env={**plain_environment(), **environment},
                    start_new_session=True,
                    **self.as_user(),
                )
            except FileNotFoundError:
                raise ServiceError(
                    f"no {command[0]}: run `scripts/install test` and `scripts/services get`"
                ) from None

    def popen_guard(self) -> subprocess.Popen:
        """A shell that ends the service when we are gone, however we ended: then its standard
        input ends."""
        script = 'read -r _; kill -s KILL -- "-$0"; rm -rf -- "$@"'
        rubbish = [str(self.folder)] if self.owns_folder else []
        return subprocess.Popen(
            ["sh", "-c", script, str(self.pid), *rubbish],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def as_user(self) -> dict:
        if not self.user:
            return {}
        group = pwd.getpwnam(self.user).pw_gid
        return {"user": self.user, "group": group, "extra_groups": []}

    def give_to_user(self) -> None:
        """Also what a test has copied into the folder belongs to the one who runs the service."""
        if not self.user:
            return
        for parent in self.folder.resolve().parents:
            if not parent.stat().st_mode & 0o001:
                raise ServiceError(
                    f"{self.name} refuses to run as root, and {self.user} cannot look into "
                    f"{parent}: choose another folder, or be another user"
                )
        entry = pwd.getpwnam(self.user)
        for path in [self.folder, *self.folder.rglob("*")]:
            os.chown(path, entry.pw_uid, entry.pw_gid, follow_symlinks=False)

    def wait_ready(self) -> "Service":
        deadline = time.monotonic() + self.seconds * PATIENCE
        while True:
            code = self.process.poll()
            if code is not None:
                self.wait_gone()
                raise ServiceError(f"{self} ended with {code}\n{self.log_tail()}")
            with contextlib.suppress(OSError, http.client.HTTPException):
                if self.answers():
                    return self
            if time.monotonic() > deadline:
                raise ServiceError(f"{self} does not answer\n{self.log_tail()}")
            time.sleep(0.02)

    def start(self) -> "Service":
        return self.spawn().wait_ready()

    @property
    def pid(self) -> int:
        assert self.process, f"{self} does not run"
        return self.process.pid

    def signal(self, number: int) -> None:
        """To all its processes: SIGSTOP and SIGCONT too."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def stop(self) -> None:
        """As an operator stops it: it may finish what it does."""
        self.signal(signal.SIGTERM)
        try:
            self.process.wait(self.seconds * PATIENCE)
        except subprocess.TimeoutExpired:
            self.kill()
            raise ServiceError(f"{self} did not end after SIGTERM\n{self.log_tail()}") from None
        self.wait_gone()

    def kill(self) -> None:
        """SIGKILL, and wait until nothing of it is left."""
        self.signal(signal.SIGKILL)
        self.process.wait()
        self.wait_gone()

    def wait_gone(self) -> None:
        """Its process has ended; what that one has started must have ended too."""
        self.process = None
        self.guard.kill()
        self.guard.wait()
        self.guard.stdin.close()

    def restart(self) -> "Service":
        """Stop it if it runs, and start it on the same port with the same folder."""
        if self.process:
            self.stop()
        return self.start()

    def close(self) -> None:
        """End it, and remove the folder that we made for it."""
        try:
            if self.process:
                self.kill() if self.owns_folder else self.stop()
        finally:
            if self.owns_folder:
                shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> "Service":
        return self.start() if not self.process else self

    def __exit__(self, *_) -> None:
        self.close()

    def log_tail(self, lines: int = 40) -> str:
        log = self.folder / "log"
        text = log.read_text(errors="replace") if log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])

    def __str__(self) -> str:
        return f"{self.name} on port {self.port} in {self.folder}"


def plain_environment() -> dict[str, str]:
    """Our environment without what changes how a service behaves."""
    ours = ("CONFAB_", "ES_", "CLI_JAVA", "MYSQL_", "LD_PRELOAD")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}


class Redis(Service):
    """As confab needs it: what was answered is on disk, and nothing is evicted."""

    name = "redis"
    OPTIONS = {
        "appendonly": "yes",
        "appendfsync": "always",
        "maxmemory-policy": "noeviction",
        "save": "",
        "bind": "127.0.0.1",
        "daemonize": "no",
    }

    def __init__(self, folder=None, environment=None, **options: str):
        """Options of redis.conf with _ for -, as in maxmemory="32mb"."""
        super().__init__(folder, environment)
        changes = {name.replace("_", "-"): value for name, value in options.items()}
        self.options = {**self.OPTIONS, **changes}

    def command(self):
        options = {**self.options, "port": str(self.port), "dir": str(self.data)}
        pairs = [part for name, value in options.items() for part in (f"--{name}", value)]
        return [redis_server(), *pairs]

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    def answers(self) -> bool:
        return self.ask("PING") == b"+PONG"

    def ask(self, *words: str) -> bytes:
        """Send one command; the first line of the reply."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=2 * PATIENCE) as connection:
            parts = [f"*{len(words)}".encode()]
            for word in words:
                encoded = str(word).encode()
                parts += [b"$%d" % len(encoded), encoded]
            connection.sendall(b"\r\n".join(parts) + b"\r\n")
            return connection.makefile("rb").readline().rstrip(b"\r\n")


def redis_server() -> str:
    path = os.environ.get("CONFAB_TEST_REDIS") or shutil.which("redis-server")
    if not path:
        raise ServiceError("no redis-server: run `scripts/install test`")
    return path


class SqlServer(Service):
    """What MariaDB and MySQL have in common: root without a password, from this host only."""

    needs_ordinary_user = True

    def __init__(self, folder=None, environment=None):
        super().__init__(folder, environment)
        self.temporary = self.folder / "tmp"  # one that starts in /tmp removes others' tables

    def common_options(self) -> list[str]:
        """As durable as in production, with little memory."""
        return [
            f"--datadir={self.data}",
            f"--port={self.port}",
            f"--socket={self.folder}/socket",
            f"--tmpdir={self.temporary}",
            "--bind-address=127.0.0.1",
            "--innodb-flush-log-at-trx-commit=1",
            "--innodb-buffer-pool-size=128M",
            "--max-connections=500",
            "--performance-schema=OFF",
        ]

    def initialize(self) -> None:
        """Make the system tables in self.data."""
        raise NotImplementedError

    def prepare(self):
        """A folder whose making was interrupted is made anew."""
        self.temporary.mkdir(exist_ok=True)
        mark = self.folder / "initialized"
        if not mark.exists():
            shutil.rmtree(self.data, ignore_errors=True)
            self.data.mkdir()
            self.give_to_user()
            self.initialize()
            mark.touch()
        self.give_to_user()

    def run_once(self, command: list) -> None:
        process = self.popen(command, {})
        if process.wait() != 0:
            raise ServiceError(f"{command[0]} ended with {process.returncode}\n{self.log_tail()}")

    @property
    def url(self) -> str:
        return f"mysql://root@127.0.0.1:{self.port}"

    def answers(self) -> bool:
        """A greeting and not an error, and then a login."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=2 * PATIENCE) as connection:
            greeting = connection.recv(64)
        if greeting[4:5] != b"\x0a":
            return False
        try:
            return self.sql("SELECT 1") == [["1"]]
        except ServiceError:
            return False

    def sql(self, statements: str, database: str = "") -> list[list[str]]:
        return run_sql(self.port, statements, database)


def run_sql(port: int, statements: str, database: str = "") -> list[list[str]]:
    """The rows that these statements give, as text, by MariaDB's own client (MySQL's too)."""
    options = ["--batch", "--skip-column-names", database]
    return [line.split("\t") for line in sql_client("mariadb", port, options, statements)]


def dump_sql(port: int, database: str) -> str:
    """Statements that bring back its tables as they are now."""
    return "\n".join(sql_client("mariadb-dump", port, [database]))


def sql_client(program: str, port: int, options: list[str], statements: str = "") -> list[str]:
    """The lines that one of MariaDB's programs prints."""
    connection = ["--protocol=tcp", "--host=127.0.0.1", f"--port={port}", "--user=root"]
    result = subprocess.run(
        [program, "--no-defaults", *connection, "--default-character-set=utf8mb4", *options],
        input=statements, capture_output=True, text=True, timeout=60 * PATIENCE,
    )  # fmt: skip
    if result.returncode != 0:
        raise ServiceError(f"{program}, port {port}: {result.stderr.strip()}")
    return result.stdout.rstrip("\n").split("\n") if result.stdout else []


class MariaDB(SqlServer):
    name = "mariadb"

    def initialize(self):
        self.run_once(
            ["mariadb-install-db", "--no-defaults", f"--datadir={self.data}",
             f"--tmpdir={self.temporary}", "--auth-root-authentication-method=normal",
             "--skip-test-db", "--skip-name-resolve"]
        )  # fmt: skip

    def command(self):
        return [mariadbd(), "--no-defaults", *self.common_options(), "--skip-name-resolve"]


def mariadbd() -> str:
    """Debian has it where ordinary users do not look."""
    return shutil.which("mariadbd", path=f"{os.environ['PATH']}:/usr/sbin") or "mariadbd"


class MySQL(SqlServer):
    name = "mysql"

    def binary(self) -> list:
        home = cache_folder() / "mysql"
        return [home / "bin" / "mysqld", "--no-defaults", f"--basedir={home}"]

    def initialize(self):
        folders = [f"--datadir={self.data}", f"--tmpdir={self.temporary}"]
        self.run_once([*self.binary(), *folders, "--initialize-insecure"])

    def command(self):
        return [*self.binary(), *self.common_options(), "--mysqlx=OFF"]


class Elasticsearch(Service):
    name = "elasticsearch"
    seconds = 180
    needs_ordinary_user = True

    MEMORY = "-Xms512m -Xmx512m"
    QUICK = f"{MEMORY} -XX:TieredStopAtLevel=1"  # half the work at the start, slower afterwards

    def __init__(self, folder=None, environment=None, java: str = QUICK):
        super().__init__(folder, environment)
        self.transport_port = free_port()
        self.java = java
        self.server_pid: int | None = None  # the launcher's is self.pid
        self.config = self.folder / "config"
        self.temporary = self.folder / "tmp"

    def home(self) -> Path:
        return cache_folder() / "elasticsearch"

    def prepare(self):
        super().prepare()
        if not self.home().exists():
            raise ServiceError(f"no {self.home()}: run `scripts/services get`")
        for folder in (self.config, self.temporary):
            folder.mkdir(exist_ok=True)
        for file in ("jvm.options", "log4j2.properties"):
            shutil.copy(self.home() / "config" / file, self.config)
        settings = {
            "cluster.name": f"confab-{self.port}",
            "node.name": "confab",
            "http.port": self.port,
            "transport.port": self.transport_port,
            "network.host": "127.0.0.1",
            "discovery.type": "single-node",
            "xpack.security.enabled": "false",
            # A full disk of the machine is not what is tested.
            "cluster.routing.allocation.disk.threshold_enabled": "false",
            "path.data": self.data,
            "path.logs": self.folder / "logs",
        }
        text = "".join(f"{name}: {value}\n" for name, value in settings.items())
        (self.config / "elasticsearch.yml").write_text(text)
        self.give_to_user()

    def spawn(self):
        self.environment = {
            "ES_PATH_CONF": str(self.config),
            "ES_JAVA_OPTS": self.java,
            "ES_TMPDIR": str(self.temporary),
            "CLI_JAVA_OPTS": f"-XX:TieredStopAtLevel=1 -Djava.io.tmpdir={self.temporary}",
            "ES_JAVA_HOME": java_home(),
            **self.environment,
        }
        return super().spawn()

    def command(self):
        command = [self.home() / "bin" / "elasticsearch", "--pidfile", self.folder / "pid"]
        if not self.needs_mount():
            return command
        script = f'mount --rbind / /mnt && exec chroot --userspec={self.user}: /mnt "$@"'
        unshare = ["unshare", "--mount", "--propagation", "unchanged"]
        return [*unshare, "sh", "-c", script, "sh", *command]

    def needs_mount(self) -> bool:
        """It looks for the mount point of its data, and does not start in a plain chroot, where /
        is none: there, root can give it a / that is one."""
        points = [line.split()[4] for line in open("/proc/self/mountinfo")]
        return self.user is not None and "/" not in points

    def as_user(self):
        return {} if self.needs_mount() else super().as_user()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def answers(self) -> bool:
        status, health = self.ask("GET", "/_cluster/health?wait_for_status=yellow&timeout=1s")
        return status == 200 and not health["timed_out"]

    def ask(self, method: str, path: str, body=None) -> tuple[int, dict]:
        return ask_elasticsearch(self.url, method, path, body)

    def wait_ready(self):
        super().wait_ready()
        self.server_pid = int((self.folder / "pid").read_text())
        return self

    def wait_gone(self):
        """The launcher is not the server: its lock on the data must be gone as well."""
        super().wait_gone()
        if self.server_pid:
            wait_for_end(self.server_pid)
        (self.folder / "pid").unlink(missing_ok=True)
        self.server_pid = None


def ask_elasticsearch(url: str, method: str, path: str, body=None) -> tuple[int, dict | list]:
    """The status and the JSON of a reply."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=30 * PATIENCE)
    with contextlib.closing(connection):
        headers = {"Content-Type": "application/json"}
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        reply = connection.getresponse()
        text = reply.read()
    return reply.status, json.loads(text) if text.startswith((b"{", b"[")) else {}


def java_home() -> str:
    java = shutil.which("java")
    if not java:
        raise ServiceError("no java: run `scripts/install test`")
    return str(Path(java).resolve().parent.parent)


def wait_for_end(pid: int) -> None:
    """A zombie has ended too: its files are closed."""
    while True:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return
        if state in "ZX":
            return
        time.sleep(0.02)


KINDS = {kind.name: kind for kind in (Redis, MariaDB, MySQL, Elasticsearch)}
