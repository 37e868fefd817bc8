"""A node that takes connections and questions, and answers nothing."""

from __future__ import annotations

import socket
import threading
from types import TracebackType
from typing import Self


class SilentNode:
    """Counts the questions that it was asked. At the end it closes all connections."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self._open: list[socket.socket] = []
        self._lock = threading.Lock()
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.questions = 0

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _at: TracebackType | None
    ) -> None:
        self.hang_up()
        self._listener.close()

    def hang_up(self) -> None:
        """Ends every connection without an answer."""
        with self._lock:
            for connection in self._open:
                connection.shutdown(socket.SHUT_RDWR)
            self._open.clear()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self._open.append(connection)
            threading.Thread(target=self._read, args=(connection,), daemon=True).start()

    def _read(self, connection: socket.socket) -> None:
        with connection:
            while received := connection.recv(65_536):
                self.questions += received.count(b"POST ")
