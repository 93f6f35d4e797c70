"""What the answer of a web server holds: which bytes of which version of a file, and whether that can be relied on."""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from http.client import HTTPException
from urllib.parse import parse_qsl, unquote, urlsplit

import requests
from urllib3.exceptions import HTTPError

from bioscan1m.fetch.transfer import BLOCK_BYTES, CannotResumeError, Start, Stream, TransferError

# What libraries raise for bytes that make no sense, beside errors of their own.
SENSELESS = (ValueError, AttributeError, LookupError, TypeError)
MAKES_NO_SENSE = "what the server sent makes no sense"
DECODED = {"", "identity", "gzip", "x-gzip", "deflate"}  # the encodings that requests takes off
LENGTH = re.compile(r"[0-9]{1,18}")
RANGE = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/(?:([0-9]{1,18})|\*)")
STRONG_TAG = re.compile(r'"[^"]*"')
TITLE, END_OF_TITLE = re.compile(r"<title[^>]{0,99}>", re.IGNORECASE), re.compile("</title", re.IGNORECASE)
LARGEST_PAGE = 2**20  # bytes of a page that are read
LONGEST_QUOTE = 80
SHORTEST_KEY = 16  # letters of a part of a path that may be a key, as in links that are shared


def read_answer(response: requests.Response, start: Start) -> Stream:
    """The stream that an answer with a body holds.

    Raises:
        CannotResumeError: It is not what goes on at `start`.
        TransferError: It is no file, or one that would be read wrongly.
    """
    encoding = response.headers.get("Content-Encoding", "").strip().lower()
    transfer = response.headers.get("Transfer-Encoding", "").strip().lower()
    if encoding not in DECODED or transfer not in ("", "identity", "chunked"):
        raise TransferError(
            f"the server sent a compressed form that was not asked for ({one_line(encoding or transfer)})"
        )
    if response.status_code == HTTPStatus.PARTIAL_CONTENT:
        return _read_part(response, start, encoding not in ("", "identity"))
    if response.status_code != HTTPStatus.OK:
        kind = CannotResumeError if start.offset else TransferError
        raise kind(f"the server answered {phrase(response.status_code)} in place of the file", pause_of(response))
    return _read_whole(response, encoding not in ("", "identity"))


def _read_whole(response: requests.Response, compressed: bool) -> Stream:
    """A compressed form has another length than the file, and ranges of another."""
    length = _length(response)
    return Stream(
        blocks_of(response),
        offset=0,
        total=None if compressed else length,
        version=None if compressed else _version(response),
        checksum=_stated_checksum(response),
        ends_surely=length is not None or _is_chunked(response),
    )


def _read_part(response: requests.Response, start: Start, compressed: bool) -> Stream:
    """It must begin where asked, hold what its range states, and be of the same source."""
    match = RANGE.fullmatch(response.headers.get("Content-Range", "").strip())
    if match is None or compressed:
        raise CannotResumeError("the server sent a part without its place")
    first, last = int(match[1]), int(match[2])
    total = int(match[3]) if match[3] else start.total
    count, length = last - first + 1, _length(response)
    if first != start.offset or count < 1 or length not in (None, count) or (total is not None and last >= total):
        raise CannotResumeError("the server sent another part than the one asked for")
    return Stream(
        _at_most(blocks_of(response), count),
        offset=first,
        total=total,
        version=_version_of_rest(response, start.version),
        checksum=_stated_checksum(response),
        ends_surely=total is not None,
    )


def _at_most(blocks: Iterator[bytes], count: int) -> Iterator[bytes]:
    for block in blocks:
        count -= len(block)
        if count < 0:
            raise CannotResumeError("the server sent more than the part that it stated")
        yield block


def condition(version: str | None) -> dict[str, str]:
    """The header by which a server sends the rest of this version only, and else the whole file."""
    return {"If-Range": version} if version is not None and (STRONG_TAG.fullmatch(version) or _time(version)) else {}


def _version(response: requests.Response) -> str | None:
    """A strong validator (RFC 9110, 8.8): a strong ETag, or a Last-Modified a second or more before the answer."""
    tag, modified = response.headers.get("ETag", ""), response.headers.get("Last-Modified", "")
    if STRONG_TAG.fullmatch(tag):
        return tag
    changed, sent = _time(modified), _time(response.headers.get("Date", ""))
    return modified if changed is not None and sent is not None and sent - changed >= 1 else None


def _version_of_rest(response: requests.Response, asked: str | None) -> str | None:
    """As _version; an answer to a condition by time need not repeat the time (RFC 9110, 15.3.7)."""
    if not {"ETag", "Last-Modified"} & set(response.headers) and asked is not None and _time(asked):
        return asked
    return _version(response)


def _time(date: str) -> float | None:
    try:
        return parsedate_to_datetime(date).timestamp()
    except (ValueError, TypeError, OverflowError, OSError):
        return None


def _length(response: requests.Response) -> int | None:
    """Bytes of the body; None where the server states none that can be meant."""
    length = response.headers.get("Content-Length", "").strip()
    return int(length) if LENGTH.fullmatch(length) and not _is_chunked(response) else None


def _is_chunked(response: requests.Response) -> bool:
    return response.headers.get("Transfer-Encoding", "").strip().lower() == "chunked"


def _stated_checksum(response: requests.Response) -> str | None:
    """The SHA-256 that the Hugging Face hub gives of a large file when it leads to the place where that lies."""
    for answer in (*response.history, response):
        digits = answer.headers.get("X-Linked-Etag", "").strip('"')
        if re.fullmatch(r"[0-9a-f]{64}", digits):
            return f"sha256:{digits}"
    return None


def pause_of(response: requests.Response) -> float:
    """Seconds that a server asks to wait; it may also name a time of day, which is passed over."""
    seconds = response.headers.get("Retry-After", "").strip()
    return float(seconds) if LENGTH.fullmatch(seconds) else 0.0


def blocks_of(response: requests.Response) -> Iterator[bytes]:
    """The body. Raises TransferError where it breaks off or makes no sense."""
    try:
        yield from response.iter_content(BLOCK_BYTES)
    except (requests.RequestException, HTTPError, HTTPException, OSError) as error:
        raise TransferError(reason(error)) from None
    except SENSELESS:
        raise TransferError(MAKES_NO_SENSE) from None


def text_of(response: requests.Response) -> str:
    """The beginning of a page, as text."""
    page = b""
    for block in blocks_of(response):
        page += block
        if len(page) >= LARGEST_PAGE:
            break
    return page.decode("utf-8", "replace")


def is_web_page(response: requests.Response) -> bool:
    """Whether the type of an answer is HTML: none of our files is."""
    return response.headers.get("Content-Type", "").lower().strip().startswith("text/html")


def quoted_title(page: str, response: requests.Response) -> str:
    """The title of a web page on one line, without the secrets that were sent to the server."""
    start = TITLE.search(page)
    end = END_OF_TITLE.search(page, start.end()) if start else None
    title = page[start.end() : end.start()] if start and end else "no title"
    for secret in sorted(_secrets_of(response), key=len, reverse=True):
        title = title.replace(secret, "…")
    return one_line(title)


def one_line(text: str, longest: int = LONGEST_QUOTE) -> str:
    """Words of a server, cut so that they cannot be taken for a message of their own."""
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    return line if len(line) <= longest else f"{line[:longest]}…"


def phrase(status: int) -> str:
    """A status in the words of the standard: those of the server may hold anything."""
    return f"{status} {HTTPStatus(status).phrase}" if status in set(HTTPStatus) else str(status)


def reason(error: BaseException) -> str:
    """What went wrong, without the error's own text: it may quote an address with a token, or a proxy's password."""
    through = " through the proxy" if isinstance(error, requests.exceptions.ProxyError) else ""
    cause = root(error)
    if isinstance(cause, TimeoutError):
        return "no byte came within the timeout"
    return f"the connection{through} failed ({getattr(cause, 'strerror', None) or type(cause).__name__})"


def root(error: BaseException) -> BaseException:
    """What an error was raised from in the end."""
    while deeper := error.__cause__ or error.__context__:
        error = deeper
    return error


def _secrets_of(response: requests.Response) -> set[str]:
    """What the requests that led to an answer had in their logins and addresses that may be secret."""
    found: set[str] = set()
    for request in [answer.request for answer in (*response.history, response)]:
        address = urlsplit(request.url or "")
        found |= {address.query, address.netloc.rpartition("@")[0], *(value for _, value in parse_qsl(address.query))}
        found |= {part for part in address.path.split("/") if len(part) >= SHORTEST_KEY}
        for name in ("Authorization", "Proxy-Authorization"):
            found |= _parts_of_login(str(request.headers.get(name, "")))
    return {form for secret in found for form in (secret, unquote(secret)) if len(secret) > 2}


def _parts_of_login(header: str) -> set[str]:
    """The value of `Basic …` or `Bearer …`, and user and password of the first."""
    kind, _, value = header.partition(" ")
    login = b64decode(value + "==").decode("utf-8", "replace") if kind.lower() == "basic" else ""
    return {value, login, *login.split(":")}
