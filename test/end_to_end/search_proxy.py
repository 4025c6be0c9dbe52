"""An Elasticsearch with moods: the real one, behind a proxy that can refuse, fail and hang."""

import hashlib
import http.client
import json
import random
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

REJECTED = {"type": "es_rejected_execution_exception", "reason": "rejected execution"}


class SearchProxy:
    """Passes requests on. Items of bulks that are taken are noted, so that repeats are seen."""

    def __init__(self, target: int, seed: str = ""):
        self.target = target
        self.generator = random.Random(seed)
        self.refusing = 0.0  # the share of new documents in bulks that get 429, once each
        self.failing = False  # every request gets 503
        self.answering = threading.Event()  # cleared: requests hang
        self.answering.set()
        self.lock = threading.Lock()
        self.refused: set[str] = set()
        self.taken: set[str] = set()
        self.repeated: list[str] = []  # taken before, and sent again
        self.requests = 0
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler_for(self))
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self) -> "SearchProxy":
        return self

    def __exit__(self, *_) -> None:
        self.answering.set()
        self.server.shutdown()
        self.server.server_close()

    def answer(self, method: str, path: str, headers: dict, body: bytes) -> tuple[int, bytes]:
        self.requests += 1
        self.answering.wait()
        if self.failing:
            return 503, json.dumps({"error": REJECTED, "status": 503}).encode()
        if path.partition("?")[0].endswith("/_bulk"):
            return self._bulk(method, path, headers, body)
        return self._pass(method, path, headers, body)

    def _pass(self, method: str, path: str, headers: dict, body: bytes) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.target, timeout=60)
        try:
            connection.request(method, path, body or None, headers)
            response = connection.getresponse()
            return response.status, response.read()
        except (OSError, http.client.HTTPException) as failure:
            return 503, json.dumps({"error": {"reason": repr(failure)}, "status": 503}).encode()
        finally:
            connection.close()

    def _bulk(self, method: str, path: str, headers: dict, body: bytes) -> tuple[int, bytes]:
        """Some items are taken out and answered here, the others go on to the real one."""
        items = bulk_items(body)
        with self.lock:
            refused = [self._refuses(name_of(item)) for item in items]
        rest = b"".join(item for item, no in zip(items, refused) if not no)
        answer = {"took": 0, "errors": False, "items": []}
        if rest:
            status, reply = self._pass(method, path, headers, rest)
            if status != 200:
                return status, reply
            answer = json.loads(reply)
        done = iter(answer["items"])
        merged = []
        for item, no in zip(items, refused):
            if no:
                merged.append(refusal_of(item))
                continue
            merged.append(next(done))
            (result,) = merged[-1].values()
            with self.lock:
                if result["status"] < 300:
                    self.taken.add(name_of(item))
        answer["items"] = merged
        answer["errors"] = answer["errors"] or any(refused)
        return 200, json.dumps(answer).encode()

    def _refuses(self, name: str) -> bool:
        if name in self.taken:
            self.repeated.append(name)
        if name in self.taken or name in self.refused:
            return False
        if name.startswith("position") or self.generator.random() >= self.refusing:
            return False
        self.refused.add(name)
        return True


def bulk_items(body: bytes) -> list[bytes]:
    """Each item's lines: the action, and but for deletions the source."""
    items = []
    lines = iter(body.splitlines(keepends=True))
    for line in lines:
        (action,) = json.loads(line)
        items.append(line if action == "delete" else line + next(lines))
    return items


def name_of(item: bytes) -> str:
    """The same item has the same name, an item of another version another."""
    (detail,) = json.loads(item.splitlines()[0]).values()
    return f"{detail.get('_id')} {hashlib.sha256(item).hexdigest()[:16]}"


def refusal_of(item: bytes) -> dict:
    ((action, detail),) = json.loads(item.splitlines()[0]).items()
    return {action: {"_id": detail.get("_id"), "status": 429, "error": REJECTED}}


def handler_for(proxy: SearchProxy) -> type:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            kept = ("Content-Type", "Accept", "Authorization")
            headers = {name: self.headers[name] for name in kept if name in self.headers}
            status, reply = proxy.answer(self.command, self.path, headers, body)
            try:
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("X-elastic-product", "Elasticsearch")
                self.send_header("Content-Length", str(len(reply)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(reply)
            except OSError:
                self.close_connection = True  # the client did not wait

        do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = serve

        def log_message(self, *_) -> None:
            pass

    return Handler
