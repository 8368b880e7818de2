"""A way to the store that can be closed: what comes meanwhile is refused, what is under way is cut. Or it holds what comes."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit


class Gate:
    """Passes connections on to a store. `store`: its DSN through the gate; `is_open`: whether they are passed.

    While `is_quick` is not set, what comes to the store is held, and `has_held` is set once something was.
    """

    def __init__(self, store: str) -> None:
        url = urlsplit(store)
        self._to = (str(url.hostname), int(url.port or 0))
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.store = store.replace(f":{self._to[1]}/", f":{self._listening.getsockname()[1]}/")
        self.is_open = True
        self.is_quick, self.has_held = threading.Event(), threading.Event()
        self.is_quick.set()

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.is_quick.set()
        self._listening.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            server = socket.create_connection(self._to)
            for one, other in ((client, server), (server, client)):
                threading.Thread(target=self._pass, args=(one, other, one is client), daemon=True).start()

    def _pass(self, one: socket.socket, other: socket.socket, is_asked: bool) -> None:
        with suppress(OSError):
            while (data := one.recv(1 << 16)) and self.is_open:
                if is_asked and not self.is_quick.is_set():
                    self.has_held.set()
                    self.is_quick.wait()
                other.sendall(data)
        for end in (one, other):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)  # closing alone would not wake who reads from it
