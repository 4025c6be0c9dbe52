"""What the benchmarks share: building, processes, load, and rows of a table."""

import contextlib
import http.client
import json
import os
import pathlib
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = ROOT / "build-bench"
WORDS = "alpha bravo charlie delta echo foxtrot golf hotel india juliet kilo lima mike".split()
BODY = "a message of eighty bytes, which is what people write to one another in a chat.."


def build():
    subprocess.run([ROOT / "scripts" / "install", "bench"], check=True)
    subprocess.run(["cmake", "-S", ROOT, "-B", BUILD, "-G", "Ninja", "-DBENCH=ON"],
                   check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["cmake", "--build", BUILD], check=True, stdout=subprocess.DEVNULL)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Process:
    """A server on a free port, stopped by pid."""

    def __init__(self, *command, port, ready="/"):
        self.port, self.started = port, time.monotonic()
        self.process = subprocess.Popen([str(part) for part in command],
                                        stderr=subprocess.DEVNULL)
        while True:
            with contextlib.suppress(OSError):
                self.get(ready)
                break
            if self.process.poll() is not None:
                sys.exit(f"{command[0]} ended with {self.process.returncode}")
        self.start_ms = (time.monotonic() - self.started) * 1000

    def get(self, path, method="GET", body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
        reply = connection.getresponse()
        text = reply.read()
        connection.close()
        if reply.status >= 400:
            raise OSError(f"{method} {path}: {reply.status} {text[:200]!r}")
        return json.loads(text) if text.startswith((b"{", b"[")) else text.decode()

    def resident_mb(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024

    def cpu_seconds(self):
        return cpu_seconds(self.process.pid)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def confab(data, *options):
    port = free_port()
    return Process(BUILD / "confab", "serve", f"--listen=127.0.0.1:{port}", f"--data={data}",
                   "--log-level=warning", *options, port=port, ready="/healthz")


def wrk(server, paths, seconds, connections=64, body=None, pause_ms=0):
    """Requests a second to a path, or to several at random; anything but 2xx ends the bench."""
    paths = [paths] if isinstance(paths, str) else paths
    script = ""
    if body:
        script += ('wrk.method = "POST"\nwrk.headers["Content-Type"] = "application/json"\n'
                   f"wrk.body = '{body}'\n")
    if len(paths) > 1:
        listed = ",".join(f'"{path}"' for path in paths)
        script += (f"local paths = {{{listed}}}\n"
                   "function request() return wrk.format(nil, paths[math.random(#paths)]) end\n")
    if pause_ms:
        script += f"function delay() return {pause_ms} end\n"
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
        file.write(script)
        file.flush()
        output = subprocess.run(
            ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "-s", file.name,
             f"http://127.0.0.1:{server.port}{paths[0]}"],
            capture_output=True, text=True, check=True)
    if "Non-2xx" in output.stdout or "Socket errors" in output.stdout:
        sys.exit(output.stdout)
    return float(re.search(r"Requests/sec:\s+([\d.]+)", output.stdout)[1])


def alternate(runs, first, second):
    """Medians of both and of their ratio, pair by pair."""
    pairs = [(first(), second()) for _ in range(runs)]
    return (statistics.median(a for a, _ in pairs), statistics.median(b for _, b in pairs),
            statistics.median(a / b for a, b in pairs))


def pending(server):
    return server.get("/readyz")["journal"]["pending"]


def drained(server):
    while pending(server) or server.get("/readyz")["search"]["lag_seconds"]:
        time.sleep(0.2)


def latency_ms(server, path, count):
    """Median over one kept connection."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    times = []
    for _ in range(count):
        started = time.perf_counter()
        connection.request("GET", path)
        reply = connection.getresponse()
        reply.read()
        times.append((time.perf_counter() - started) * 1000)
        assert reply.status == 200, (path, reply.status)
    return statistics.median(times)


def row(name, value, goal=""):
    print(f"| {name} | {value} | {goal} |", flush=True)


def make_application(server):
    return server.get("/api/v1/applications", "POST", json.dumps({"name": "bench"}))["token"]


def make_chat(server, token=None):
    token = token or make_application(server)
    number = server.get(f"/api/v1/applications/{token}/chats", "POST")["chat_number"]
    return f"/api/v1/applications/{token}/chats/{number}/messages"


def lag(server):
    state = server.get("/readyz")
    return max(state["store"]["lag_seconds"], state["search"]["lag_seconds"])


def large_ndjson(path, count):
    """Ten chats of the same size; the first has a rare word in every 10,000th message."""
    token, when = "bench-large", "2026-01-01T00:00:00.000000Z"
    per_chat = count // 10

    def line(**fields):
        return json.dumps(fields) + "\n"

    with open(path, "w") as file:
        file.write(line(type="application", token=token, name="large", last_chat_number=10,
                        created_at=when, updated_at=when))
        for chat in range(1, 11):
            file.write(line(type="chat", application_token=token, chat_number=chat, name=None,
                            last_message_number=per_chat, created_at=when, updated_at=when))
            for number in range(1, per_chat + 1):
                words = [WORDS[(number * k + chat) % len(WORDS)] for k in (1, 3, 5, 7, 11, 2)]
                text = f"{' '.join(words)} {number} of chat {chat}"
                if chat == 1 and number % 10000 == 1:
                    text += " zyzzyva"
                file.write(line(type="message", application_token=token, chat_number=chat,
                                message_number=number, message_body=text, created_at=when,
                                updated_at=when))
    return f"/api/v1/applications/{token}/chats/1/messages"


def fill(server, messages, count):
    """Exactly `count` messages, over one kept connection."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    body = json.dumps({"message_body": BODY})
    for _ in range(count):
        connection.request("POST", messages, body, {"Content-Type": "application/json"})
        connection.getresponse().read()
