"""The embedded engine behind ClickHouse's HTTP interface, so that several processes of one machine share a store.

`store_front.py FOLDER` says its port. User `sentinel`, password: SENTINEL_FRONT_PASSWORD, or `let me in`. As far as Sentinel
uses that interface, one statement at a time: for demonstrations and tests, not in ClickHouse's place.
"""

from __future__ import annotations

import base64
import os
import signal
import sys
import tempfile
from email import message_from_bytes
from hmac import compare_digest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import chdb

HOST: Final = "127.0.0.1"
USER: Final = "sentinel"
PASSWORD: Final = os.environ.get("SENTINEL_FRONT_PASSWORD", "let me in")
FIELD_BYTES_MAX: Final = 131_072  # `http_max_field_value_size` of a server
REFUSED: Final = b"Code: 516. DB::Exception: sentinel: (AUTHENTICATION_FAILED)"


class Engine:
    """The store in one folder, which is this process's alone."""

    def __init__(self, folder: str) -> None:
        connect: Any = chdb.connect
        self._engine = connect(folder)
        self._one_at_a_time = Lock()

    def run(self, asked: dict[str, str], body: bytes) -> bytes:
        """Run a statement with its parameters; data after an INSERT goes through a file."""
        params = {name[6:]: value for name, value in asked.items() if name.startswith("param_")}
        statement = asked.get("query", "")
        with self._one_at_a_time:
            if not statement:
                return self._answer(body.decode(), params=params)
            if not body:
                return self._answer(statement, params=params)
            with tempfile.NamedTemporaryFile(suffix=".arrow") as file:
                file.write(body)
                file.flush()
                return self._answer(_from_file(statement, file.name))

    def _answer(self, statement: str, **more: Any) -> bytes:
        return bytes(self._engine.query(statement, "TabSeparated", **more).bytes())


class Handler(BaseHTTPRequestHandler):
    """One request is one statement: in the body, in a form, or in the URL before the body's data."""

    protocol_version = "HTTP/1.1"
    engine: Engine

    def do_GET(self) -> None:
        """Run a statement given in the URL."""
        self.do_POST()

    def do_POST(self) -> None:
        """Run a statement."""
        asked = dict(parse_qsl(urlsplit(self.path).query))
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if not self._is_authorised():
            self.answer(403, REFUSED, "516")
            return
        if self.headers.get_content_type() == "multipart/form-data":
            asked |= _form(self.headers["Content-Type"], body)
            body = b""
        if any(len(value) > FIELD_BYTES_MAX for value in asked.values()):
            self.answer(400, b"Poco::Exception: HTML Form Exception: Field value too long")
            return
        try:
            self.done(asked, self.engine.run(asked, body))
        except Exception as error:  # noqa: BLE001 - whatever the engine says
            text = str(error)
            self.answer(500, text.encode(), text.partition("Code: ")[2].partition(".")[0])

    def done(self, _asked: dict[str, str], result: bytes) -> None:
        """Tell the result of a statement."""
        self.answer(200, result)

    def answer(self, status: int, body: bytes, code: str = "") -> None:
        """Send a result, or an error with its code."""
        self.send_response(status)
        if code:
            self.send_header("X-ClickHouse-Exception-Code", code)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _is_authorised(self) -> bool:
        """Say whether name and password are right, in whichever header they come."""
        basic = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        told, key = self.headers.get("Authorization", ""), self.headers.get("X-ClickHouse-Key", "")
        return compare_digest(told.encode(), basic.encode()) or compare_digest(key.encode(), PASSWORD.encode())


def _from_file(statement: str, file: str) -> str:
    """Return an INSERT that takes its data from a file in place of the request."""
    if " FROM input(" in statement:
        return statement.replace(" FROM input(", f" FROM file('{file}', 'Arrow', ").removesuffix(" FORMAT Arrow")
    return statement.replace(" FORMAT Arrow", f" FROM INFILE '{file}' FORMAT Arrow")


def _form(content_type: str, body: bytes) -> dict[str, str]:
    """Return the fields of a form."""
    message: Any = message_from_bytes(f"Content-Type: {content_type}\r\n\r\n".encode() + body)
    parts = message.get_payload()
    return {part.get_param("name", header="content-disposition"): part.get_payload(decode=True).decode() for part in parts}


def serve(folder: str, handler: type[Handler] = Handler) -> None:
    """Serve the store in `folder` on a free port, said first; SIGTERM ends it."""
    Path(folder).mkdir(mode=0o700, parents=True, exist_ok=True)
    handler.engine = Engine(folder)
    server = ThreadingHTTPServer((HOST, 0), handler)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    print(server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    serve(sys.argv[1])
