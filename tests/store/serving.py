"""The engine behind ClickHouse's HTTP interface, as far as the store uses it: `serving.py FOLDER`, says its port.

User `sentinel`, password `let me in`. Like a server it takes no field over 128 KiB. `POST /lose` makes the next insert
happen without an answer.
"""

from __future__ import annotations

import base64
import sys
import tempfile
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock
from urllib.parse import parse_qsl, urlsplit

import chdb

ENGINE = chdb.connect(sys.argv[1])
LOSING: list[bool] = []
ONE_AT_A_TIME = Lock()
FIELD_BYTES_MAX = 131_072  # `http_max_field_value_size`


class Handler(BaseHTTPRequestHandler):
    """One request is one statement: in the body, in a form, or in the URL before the body's data."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Run a statement given in the URL."""
        self.do_POST()

    def do_POST(self) -> None:
        """Run a statement."""
        asked = dict(parse_qsl(urlsplit(self.path).query))
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path == "/lose":
            LOSING.append(True)
            return self.answer(200, b"")
        if not self.authorised():
            return self.answer(403, b"Code: 516. DB::Exception: sentinel: (AUTHENTICATION_FAILED)", "516")
        if self.headers.get_content_type() == "multipart/form-data":
            asked |= form(self.headers["Content-Type"], body)
            body = b""
        if any(len(value) > FIELD_BYTES_MAX for value in asked.values()):
            return self.answer(400, b"Poco::Exception: HTML Form Exception: Field value too long")
        try:
            with ONE_AT_A_TIME:
                result = run(asked, body)
        except Exception as error:  # noqa: BLE001  whatever the engine says
            text = str(error)
            return self.answer(500, text.encode(), text.partition("Code: ")[2].partition(".")[0])
        if LOSING and asked.get("query", "").startswith("INSERT INTO"):
            LOSING.clear()
            self.close_connection = True
            return None
        return self.answer(200, result)

    def authorised(self) -> bool:
        """Say whether name and password are right, in whichever header they come."""
        basic = "Basic " + base64.b64encode(b"sentinel:let me in").decode()
        return self.headers.get("Authorization") == basic or self.headers.get("X-ClickHouse-Key") == "let me in"

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


def form(content_type: str, body: bytes) -> dict[str, str]:
    """Return the fields of a form."""
    message = message_from_bytes(f"Content-Type: {content_type}\r\n\r\n".encode() + body)
    parts = message.get_payload()
    return {part.get_param("name", header="content-disposition"): part.get_payload(decode=True).decode() for part in parts}


def run(asked: dict[str, str], body: bytes) -> bytes:
    """Run a statement with its parameters; data after an INSERT goes through a file."""
    params = {name[6:]: value for name, value in asked.items() if name.startswith("param_")}
    statement = asked.get("query", "")
    if not statement:
        return ENGINE.query(body.decode(), "TabSeparated", params=params).bytes()
    if not body:
        return ENGINE.query(statement, "TabSeparated", params=params).bytes()
    with tempfile.NamedTemporaryFile(suffix=".arrow") as file:
        file.write(body)
        file.flush()
        return ENGINE.query(
            statement.replace(" FORMAT Arrow", f" FROM INFILE '{file.name}' FORMAT Arrow"), "TabSeparated"
        ).bytes()


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_port, flush=True)
    server.serve_forever()
