"""A TCP proxy between confab and a service, which can do what networks do."""

import random
import socket
import threading


class Proxy:
    """Passes bytes on, and when told loses replies, holds everything, cuts or refuses."""

    def __init__(self, target: int, seed: str = ""):
        self.target = target
        self.generator = random.Random(seed)
        self.share, self.to = 0.0, b""
        self.lost = 0  # replies, of commands that did reach the service
        self.replies = 0  # that came from the service
        self.hold_at = 0  # hold by yourself when that many have come; 0: never
        self.passing = threading.Event()
        self.passing.set()
        self.refusing = False
        self.lock = threading.Lock()
        self.open: set[socket.socket] = set()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> "Proxy":
        return self

    def __exit__(self, *_) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.release()
        self.cut()

    def lose_replies(self, share: float, to: bytes = b"") -> None:
        """Lose this share of the replies to commands that contain `to`; 0: no more."""
        self.share, self.to = share, to

    def hold(self) -> None:
        """From now on nothing passes; connections stay open and are still taken."""
        self.passing.clear()

    def hold_after(self, replies: int) -> None:
        """Pass so many more replies and hold the next."""
        with self.lock:
            self.hold_at = self.replies + replies + 1

    @property
    def holds(self) -> bool:
        return not self.passing.is_set()

    def release(self) -> None:
        self.passing.set()

    def cut(self) -> None:
        """End all connections."""
        with self.lock:
            for end in self.open:
                shut(end)

    def refuse(self) -> None:
        """End all connections, and every new one at once."""
        self.refusing = True
        self.cut()

    def take(self) -> None:
        self.refusing = False

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        server = None
        try:
            if not self.refusing:
                server = socket.create_connection(("127.0.0.1", self.target))
        except OSError:
            pass  # the service is away: so are we
        if not server:
            client.close()
            return
        for end in (client, server):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self.lock:
            self.open |= {client, server}
        link = Link(self, client, server)
        threads = [threading.Thread(target=pump, daemon=True) for pump in (link.ask, link.reply)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with self.lock:
            self.open -= {client, server}
        client.close()
        server.close()


class Link:
    """One connection through the proxy, with a thread for each direction."""

    def __init__(self, proxy: Proxy, client: socket.socket, server: socket.socket):
        self.proxy, self.client, self.server = proxy, client, server
        self.asked = b""  # since the last reply

    def ask(self) -> None:
        """From the client to the service."""
        try:
            while data := self.client.recv(65536):
                self.proxy.passing.wait()
                self.asked += data
                self.server.sendall(data)
        except OSError:
            pass
        shut(self.server)

    def reply(self) -> None:
        """Back. After a loss the client hears nothing any more, or finds itself cut off."""
        mute = False
        try:
            while data := self.server.recv(65536):
                self._count()
                self.proxy.passing.wait()
                if not mute and self._loses():
                    if self.proxy.generator.random() < 0.5:
                        break
                    mute = True
                if not mute:
                    self.asked = b""
                    self.client.sendall(data)
        except OSError:
            pass
        shut(self.client)
        shut(self.server)

    def _count(self) -> None:
        proxy = self.proxy
        with proxy.lock:
            proxy.replies += 1
            if proxy.replies == proxy.hold_at:
                proxy.hold()

    def _loses(self) -> bool:
        proxy = self.proxy
        if not proxy.share or not self.asked or proxy.to not in self.asked:
            return False
        if proxy.generator.random() >= proxy.share:
            return False
        proxy.lost += 1
        return True


def shut(end: socket.socket) -> None:
    """Wake whoever reads or writes there."""
    try:
        end.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
