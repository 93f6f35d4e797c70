"""A web server on the loopback interface that answers each request as the test says."""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection, IncompleteRead
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

Answer = Callable[["Request"], None]


class Request(BaseHTTPRequestHandler):
    """One request, with what a test needs to answer it."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Note the request and let the next answer of the script take it; the last one is used again."""
        server = self.server
        server.requests.append(self)
        answer = server.script.pop(0) if len(server.script) > 1 else server.script[0]
        answer(self)

    do_HEAD = do_CONNECT = do_GET  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    @property
    def first_byte(self) -> int:
        """Where the range begins that is asked for, 0 without a range."""
        match = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        return int(match[1]) if match else 0

    def reply(self, status: int, body: bytes, length: int | None = None, **headers: str) -> None:
        """Send a body; with a `length` other than its own, the connection ends too soon."""
        self.send_response(status)
        all_headers = {"Content-Length": str(len(body) if length is None else length), "Connection": "close", **headers}
        for name, value in all_headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)


class Server(ThreadingHTTPServer):
    """`script` is the list of answers, `requests` what was asked."""

    daemon_threads = True
    script: list[Answer]
    requests: list[Request]

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that has left is no error, and its traceback would be written by a thread beside the next test."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    @property
    def address(self) -> str:
        """The address of a file on this server."""
        return f"http://127.0.0.1:{self.server_port}/folder/file.zip"


@contextmanager
def serving(*script: Answer) -> Iterator[Server]:
    """A server at a free port that answers by the script."""
    server = Server(("127.0.0.1", 0), Request)
    server.script, server.requests = list(script), []
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def whole(data: bytes, version: str | None = None) -> Answer:
    """Serve a file with ranges, as most servers do."""

    def answer(request: Request) -> None:
        first, tags = request.first_byte, {"ETag": f'"{version}"'} if version else {}
        if first >= len(data) > 0:
            request.reply(416, b"", Content_Range=f"bytes */{len(data)}")
        elif "Range" in request.headers:
            request.reply(206, data[first:], Content_Range=f"bytes {first}-{len(data) - 1}/{len(data)}", **tags)
        else:
            request.reply(200, data, **tags)

    return answer


def cut(data: bytes, after: int, version: str | None = None) -> Answer:
    """Serve the file with ranges, but close the connection after some bytes of the answer."""

    def answer(request: Request) -> None:
        first, tags = request.first_byte, {"ETag": f'"{version}"'} if version else {}
        if first:
            tags["Content_Range"] = f"bytes {first}-{len(data) - 1}/{len(data)}"
        request.reply(206 if first else 200, data[first : first + after], len(data) - first, **tags)

    return answer


def without_ranges(data: bytes) -> Answer:
    """Serve the whole file whatever was asked for."""
    return lambda request: request.reply(200, data)


def status(code: int) -> Answer:
    """Answer with an error."""
    return lambda request: request.reply(code, b"trouble")


def page(title: str, body: str = "") -> Answer:
    """Answer with a web page."""
    text = f"<!DOCTYPE html><html><head><title>{title}</title></head><body>{body}</body></html>"
    return lambda request: request.reply(200, text.encode(), Content_Type="text/html; charset=utf-8")


def forward(request: Request) -> None:
    """Be a proxy: a request names the whole address; what is there is passed on, also where it breaks off."""
    address = urlsplit(request.path)
    with closing(HTTPConnection(address.netloc)) as connection:
        passed = {"Via": "1.1 loopback"} | ({"Range": request.headers["Range"]} if "Range" in request.headers else {})
        connection.request("GET", address._replace(scheme="", netloc="").geturl(), headers=passed)
        found = connection.getresponse()
        try:
            body = found.read()
        except IncompleteRead as broken:
            body = broken.partial
        headers = {name: value for name, value in found.headers.items() if name in ("Content-Range", "Content-Type")}
        request.reply(found.status, body, int(found.headers["Content-Length"]), **headers)
