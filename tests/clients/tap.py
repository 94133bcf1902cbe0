"""A line to a server that notes what asked for what: the first line of every connection."""

import socket
import threading

from tests.process import Server


class Tap:
    """Carries bytes both ways, unchanged."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.asked: list[str] = []
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listening.getsockname()[1]}/v1"

    def close(self) -> None:
        self._listening.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listening.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self._server.port))
            threading.Thread(target=self._carry, args=(near, far, True), daemon=True).start()
            threading.Thread(target=self._carry, args=(far, near, False), daemon=True).start()

    def _carry(self, source: socket.socket, sink: socket.socket, noting: bool) -> None:
        try:
            while raw := source.recv(65536):
                if noting:
                    self.asked.append(raw.split(b"\r\n", 1)[0].decode(errors="replace"))
                    noting = False
                sink.sendall(raw)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # one side has hung up; the other thread sees it too
