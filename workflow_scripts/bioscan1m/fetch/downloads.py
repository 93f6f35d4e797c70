"""Open a source from any byte on: the one thing that differs between a local disk, a web server and other stores.

An opener is a context manager that yields a Stream. It raises InputError where another try would not help, and
TransferError where it may.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

import requests

from bioscan1m.foundation.errors import InputError
from bioscan1m.foundation.sources import local_path, without_secrets

# A broken connection costs the block that was being read, so blocks are small.
BLOCK_BYTES = 2**16
# How the connection to an https server by a proxy fails that does not let it through.
REFUSED_BY_PROXY = re.compile(r"Tunnel connection failed: (4\d\d)")
PROXY_LOGIN = "the proxy wants a login: http_proxy=http://user:password@host:port (https_proxy for https)"
# Answers that another try may turn into the file; all from 500 on count as well.
PASSING_TROUBLES = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}


class TransferError(Exception):
    """A transfer broke off and may be taken up again, after `pause` seconds or later; the message is the reason."""

    def __init__(self, reason: str, pause: float = 0) -> None:
        super().__init__(reason)
        self.pause = pause


@dataclass(frozen=True)
class Stream:
    """The bytes of a source from `offset` on: the offset that was asked for, or 0 where the source cannot skip.

    `total` is the size of the whole source in bytes. `version` changes when the source does. `checksum` is that of the
    whole source, as chunks.tsv writes it. Each is None where the source does not state it.
    """

    blocks: Iterable[bytes]
    offset: int
    total: int | None
    version: str | None
    checksum: str | None = None


@contextmanager
def open_local(source: str, offset: int, timeout: float) -> Iterator[Stream]:  # noqa: ARG001 (all openers take it)
    """Open a local file; `source` is a path or a file:// address.

    It is copied, not linked: a link would change with a source that is written to in place, and nobody would notice.
    """
    path = local_path(source)
    if path is None or not path.is_file():
        raise InputError(f"{path}: no such file; a relative path starts at the folder of the run, {Path.cwd()}")
    with path.open("rb") as file:
        status = path.stat()
        start = offset if offset <= status.st_size else 0
        file.seek(start)
        blocks = iter(lambda: file.read(BLOCK_BYTES), b"")
        yield Stream(blocks, start, status.st_size, f"{status.st_size} {status.st_mtime_ns}")


@contextmanager
def open_http(source: str, offset: int, timeout: float) -> Iterator[Stream]:
    """Open an http or https address; proxies and logins (netrc) are taken from the environment.

    `timeout` is in seconds without a byte.
    """
    with requests.Session() as session, open_with_session(session, source, offset, timeout) as stream:
        yield stream


@contextmanager
def open_with_session(session: requests.Session, url: str, offset: int, timeout: float) -> Iterator[Stream]:
    """As open_http, within a session that may hold cookies and headers."""
    with get(session, url, timeout, offset) as response:
        if response.ok and is_web_page(response):
            raise InputError(_explain_web_page(response, url))
        stream = _read_answer(response, offset)
        if stream is not None:
            yield stream
            return
    with open_with_session(session, url, 0, timeout) as stream:
        yield stream


def get(session: requests.Session, url: str, timeout: float, offset: int = 0) -> requests.Response:
    """Send a request for the bytes from `offset` on and return the answer, its body still unread.

    Raises InputError or TransferError for an answer that is an error, naming neither query nor password of the address.
    """
    # A Range counts the bytes that are sent, so they must be those of the file, not of a compressed form.
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={offset}-"} if offset else {})
    try:
        response = session.get(url, headers=headers, stream=True, timeout=timeout)
    except (requests.exceptions.InvalidURL, requests.exceptions.MissingSchema, requests.exceptions.InvalidSchema):
        raise InputError(
            f"{without_secrets(url)}: not a valid address, or that of the proxy in the environment is not; correct it "
            "in chunks.tsv or the config, or in http_proxy or https_proxy"
        ) from None
    except requests.exceptions.ProxyError as error:
        raise _trouble_of_proxy(error, url) from None
    except requests.RequestException as error:
        raise TransferError(_reason(error)) from None
    status = response.status_code
    if response.ok or status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
        return response
    response.close()
    if status in PASSING_TROUBLES or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise TransferError(f"the server answered {status} {response.reason}", _pause(response))
    raise InputError(f"{without_secrets(url)}: {_explain_refusal(response)}")


def page_title(text: str) -> str:
    """The title of a web page, as far as it has one."""
    match = re.search(r"<title[^>]*>(.*?)</title>", text, re.IGNORECASE | re.DOTALL)
    return " ".join(match[1].split()) if match else "no title"


def is_web_page(response: requests.Response) -> bool:
    """Whether the type of an answer is HTML: none of our files is."""
    return response.headers.get("Content-Type", "").lower().startswith("text/html")


def _trouble_of_proxy(error: requests.exceptions.ProxyError, url: str) -> TransferError | InputError:
    """A proxy refuses to connect to an https server in an error; that of http comes as an answer."""
    refused = REFUSED_BY_PROXY.search(str(_root(error)))
    if refused is None:
        return TransferError(_reason(error))
    remedy = f"the proxy answered {refused[1]}; ask those who run it whether it lets this server through"
    if int(refused[1]) == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        remedy = PROXY_LOGIN
    return InputError(f"{without_secrets(url)}: {remedy}")


def _explain_refusal(response: requests.Response) -> str:
    if response.status_code == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        return PROXY_LOGIN
    return (
        f"the server answered {response.status_code} {response.reason}; check the address in chunks.tsv or the config, "
        "and whether the file is public (if not: a login in ~/.netrc, or a token of the hub in HF_TOKEN)"
    )


def _explain_web_page(response: requests.Response, url: str) -> str:
    title = page_title(next(_blocks(response), b"").decode("utf-8", "replace"))
    return (
        f"{without_secrets(url)}: the server sent a web page ('{title}') in place of the file. It may ask for a login, "
        "a download quota may be used up, or the address may be wrong: open it in a browser to see"
    )


def _read_answer(response: requests.Response, offset: int) -> Stream | None:
    """The stream that an answer holds; None where its range does not go on at `offset`."""
    version = response.headers.get("ETag") or response.headers.get("Last-Modified")
    about = {"version": version, "checksum": _stated_checksum(response)}
    blocks = _blocks(response)
    if response.status_code == HTTPStatus.OK:
        return Stream(blocks, 0, _content_length(response), **about)
    start, total = _content_range(response)
    if response.status_code == HTTPStatus.PARTIAL_CONTENT and start == offset:
        return Stream(blocks, offset, total, **about)
    if response.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and total == offset:
        return Stream((), offset, total, **about)  # nothing is missing
    return None


def _stated_checksum(response: requests.Response) -> str | None:
    """The SHA-256 that the Hugging Face hub gives of a large file when it leads to the place where that lies."""
    for answer in (*response.history, response):
        digits = answer.headers.get("X-Linked-Etag", "").strip('"')
        if re.fullmatch(r"[0-9a-f]{64}", digits):
            return f"sha256:{digits}"
    return None


def _pause(response: requests.Response) -> float:
    """Seconds that a server asks to wait; it may also name a time of day, which is passed over."""
    seconds = response.headers.get("Retry-After", "")
    return float(seconds) if seconds.isdecimal() else 0.0


def _content_length(response: requests.Response) -> int | None:
    """Bytes of the body; None where the server does not state them, or states those of a compressed form."""
    length = response.headers.get("Content-Length", "")
    plain = response.headers.get("Content-Encoding", "identity") == "identity"
    return int(length) if plain and length.isdigit() else None


def _content_range(response: requests.Response) -> tuple[int | None, int | None]:
    """First byte and total size, as far as the server gives them: `bytes 5-9/10`, `bytes 5-9/*`, `bytes */10`."""
    match = re.match(r"bytes (?:(\d+)-\d+|\*)/(?:(\d+)|\*)", response.headers.get("Content-Range", ""))
    first, total = match.groups() if match else (None, None)
    return (int(first) if first else None), (int(total) if total else None)


def _blocks(response: requests.Response) -> Iterator[bytes]:
    try:
        yield from response.iter_content(BLOCK_BYTES)
    except requests.RequestException as error:
        raise TransferError(_reason(error)) from None


def _reason(error: requests.RequestException) -> str:
    """What went wrong, without the error's own text: it may quote an address with a token, or a proxy's password."""
    through = " through the proxy" if isinstance(error, requests.exceptions.ProxyError) else ""
    cause = _root(error)
    if isinstance(cause, TimeoutError):
        return "no byte came within the timeout"
    return f"the connection{through} failed ({getattr(cause, 'strerror', None) or type(cause).__name__})"


def _root(error: BaseException) -> BaseException:
    """What an error was raised from in the end."""
    while deeper := error.__cause__ or error.__context__:
        error = deeper
    return error
