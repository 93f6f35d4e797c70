"""Answers of a web server drawn at random: right ones, and ones wrong in status, place, length, form or end."""

from __future__ import annotations

import gzip
import random
import re
import socket
import struct
import time
import zlib
from contextlib import suppress
from dataclasses import dataclass, field
from email.utils import formatdate

from loopback import Request

STATUSES = (
    100,
    103,
    201,
    202,
    203,
    204,
    205,
    207,
    299,
    300,
    304,
    401,
    404,
    407,
    408,
    416,
    418,
    425,
    429,
    500,
    503,
    999,
)
NO_LENGTHS = ("-5", "abc", "10, 20", "\xb2", "1e3", "", "9" * 30)
PAUSES = ("0", "-1", "soon", "\xb2", "9" * 400, "Wed, 21 Oct 2099 07:28:00 GMT")
RANGES = ("bytes 0-9/10", "bytes */7", "bytes 9-3/10", "bytes x-y/z", "items 0-1/2", "bytes 5-6/*", "bytes -1-5/9")
ENCODINGS = ("br", "zstd", "x", "gzip, gzip", "\xff")
PLACES = ("http://[::1/x", "file:///etc/passwd", "//", "\xff\xfe", "/again", "http://127.0.0.1:1/x", "ftp://h/x", "")
STATUS_LINES = (
    b"",
    b"hello\r\n\r\n",
    b"HTTP/1.1 abc\r\n\r\n",
    b"HTTP/9.9 -200 x\r\n\r\n",
    b"\x00" * 99,
    b"HTTP/1.1 200\r\nno colon\r\n\r\n",
)
CHUNKS = (b"-5\r\nabc", b"zz\r\n", b"5\r\nab", b"ffffffffffffffffffff\r\nx", b"\r\n\r\n", b"9" * 9000)


@dataclass
class Chance:
    """A server with a file that may change.

    `framing_lies` are lengths that are wrong but agree with themselves, and versions of one name: without a checksum or
    a zip's directory nobody can notice them.
    """

    random: random.Random
    versions: list[bytes]
    framing_lies: bool
    patience: float
    served: int = 0
    changed: int = 0
    redirects: int = 0
    kinds: dict[str, int] = field(default_factory=dict)

    def __call__(self, request: Request) -> None:
        """Answer one request."""
        request.close_connection = True
        if self.random.random() < 0.15:
            self.changed = self.random.randrange(len(self.versions))
        kind = self.random.choices(
            ("file", "part", "status", "redirect", "nonsense", "chunks", "drip"), (45, 25, 10, 6, 5, 6, 1)
        )[0]
        self.kinds[kind] = self.kinds.get(kind, 0) + 1
        self.redirects += kind == "redirect"
        self.served += kind != "redirect"
        with suppress(OSError):  # the client may leave
            getattr(self, f"_{kind}")(request)

    @property
    def _data(self) -> bytes:
        return self.versions[self.changed]

    def _one_in(self, times: int) -> bool:
        return self.random.randrange(times) == 0

    def _send(self, request: Request, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        """Send it, perhaps with a cut and a reset in place of its end."""
        lines = [f"HTTP/1.1 {status} word s3cret", *(f"{name}: {value}" for name, value in headers)]
        request.wfile.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
        cut = self.random.randrange(1, len(body)) if len(body) > 1 and self._one_in(4) else len(body)
        request.wfile.write(body[:cut])
        if self._one_in(8):
            linger = struct.pack("ii", 1, 0)
            request.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)

    def _about(self) -> list[tuple[str, str]]:
        """What the server states of the version, or does not."""
        name = 0 if self.framing_lies and self._one_in(4) else self.changed
        age = self.random.choice((0, 1, 3600))
        stated = [
            ("ETag", self.random.choice((f'"v{name}"', f'"v{name}"', 'W/"weak"', "unquoted"))),
            ("Last-Modified", formatdate(1_000_000_000 + name * 7200 - age * 0, usegmt=True)),
            ("Date", formatdate(1_000_000_000 + name * 7200 + age, usegmt=True)),
        ]
        return [pair for pair in stated if self._one_in(2)]

    def _file(self, request: Request) -> None:
        """The whole file, or what goes on where that was asked for."""
        asked = re.fullmatch(r"bytes=(\d+)-", request.headers.get("Range", ""))
        first = int(asked[1]) if asked else 0
        condition = request.headers.get("If-Range")
        honours = condition is None or condition in (
            f'"v{self.changed}"',
            formatdate(1_000_000_000 + self.changed * 7200, usegmt=True),
        )
        if asked and honours and first < len(self._data) and not self._one_in(6):
            end = len(self._data)
            place = ("Content-Range", f"bytes {first}-{end - 1}/{self.random.choice((end, end, '*'))}")
            self._framed(request, 206, [place, *self._about()], self._data[first:])
            return
        self._framed(request, 200, self._about(), self._data)

    def _framed(self, request: Request, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        form = self.random.choice(("plain",) * 6 + ("gzip", "deflate", "unknown"))
        if form == "gzip":
            headers, body = [*headers, ("Content-Encoding", "gzip")], gzip.compress(body)
        elif form == "deflate":
            headers, body = [*headers, ("Content-Encoding", "deflate")], zlib.compress(body)
        elif form == "unknown":
            headers = [*headers, ("Content-Encoding", self.random.choice(ENCODINGS))]
        frame = self.random.choice(("length",) * 4 + ("chunked", "close", "wrong", "short"))
        if frame == "chunked":
            headers, body = [*headers, ("Transfer-Encoding", "chunked")], _chunked(body)
        elif frame == "wrong":
            headers = [*headers, ("Content-Length", self.random.choice(NO_LENGTHS))]
        elif frame == "short" and self.framing_lies:
            headers = [*headers, ("Content-Length", str(self.random.randrange(len(body) + 1)))]
        elif frame != "close":
            headers = [*headers, ("Content-Length", str(len(body)))]
        self._send(request, status, headers, body)

    def _part(self, request: Request) -> None:
        """A part that is not the one asked for, or states something else."""
        asked = re.fullmatch(r"bytes=(\d+)-", request.headers.get("Range", ""))
        first = int(asked[1]) if asked else self.random.randrange(1, len(self._data))
        end = len(self._data)
        lie = self.random.choice(("from 0", "total", "nowhere", "multipart", "nonsense", "longer"))
        stated = f"bytes {first}-{end - 1}/{end}"
        body = self._data[first:]
        headers = self._about()
        if lie == "from 0":
            body = self.random.choice((self._data, self._data[: end - first]))
        elif lie == "total":
            stated = f"bytes {first}-{end - 1}/{end + self.random.choice((-1, 1, 10**12))}"
        elif lie == "nonsense":
            stated = self.random.choice(RANGES)
        elif lie == "multipart":
            headers.append(("Content-Type", "multipart/byteranges; boundary=x"))
            body = b"--x\r\nContent-Range: " + stated.encode() + b"\r\n\r\n" + body + b"\r\n--x--\r\n"
        elif lie == "longer":
            body += b"more"
        if lie not in ("nowhere", "multipart"):
            headers.append(("Content-Range", stated))
        self._framed(request, 206, headers, body)

    def _status(self, request: Request) -> None:
        headers = [("Retry-After", self.random.choice(PAUSES))] if self._one_in(2) else []
        if self._one_in(2):
            headers.append(("Content-Range", self.random.choice(RANGES)))
        page = b"<html><title>s3cret\nERROR two lines</title>"
        kind = [("Content-Type", "text/html")] if self._one_in(2) else []
        self._send(
            request, self.random.choice((*STATUSES, 200)), [*headers, *kind, ("Content-Length", str(len(page)))], page
        )

    def _redirect(self, request: Request) -> None:
        place = self.random.choice(PLACES)
        self._send(
            request, self.random.choice((301, 302, 303, 307, 308)), [("Location", place), ("Content-Length", "0")], b""
        )

    def _nonsense(self, request: Request) -> None:
        request.wfile.write(self.random.choice(STATUS_LINES))

    def _chunks(self, request: Request) -> None:
        """A body in chunks that make no sense after some that do."""
        good = _chunked(self._data[: self.random.randrange(1, len(self._data))]).removesuffix(b"0\r\n\r\n")
        self._send(request, 200, [("Transfer-Encoding", "chunked")], good + self.random.choice(CHUNKS))

    def _drip(self, request: Request) -> None:
        """Bytes, headers or lengths of chunks that come one at a time, for longer than anybody waits."""
        starts = (
            b"",
            b"HTTP/1.1 200 OK\r\nX: ",
            b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5; ",
        )
        request.wfile.write(self.random.choice(starts))
        until = time.monotonic() + 20 * self.patience
        while time.monotonic() < until:
            request.wfile.write(b"x")
            time.sleep(self.patience / 5)


def _chunked(body: bytes, size: int = 3000) -> bytes:
    chunks = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
