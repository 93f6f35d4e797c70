"""Open a source from any byte on: the one thing that differs between a local disk, a web server and other stores.

An opener is a context manager that yields a Stream. It raises InputError where another try would not help, and
TransferError where it may.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import HTTPError

from bioscan1m.fetch.answers import (
    MAKES_NO_SENSE,
    SENSELESS,
    condition,
    is_web_page,
    pause_of,
    phrase,
    quoted_title,
    read_answer,
    reason,
    root,
    text_of,
)
from bioscan1m.fetch.transfer import BEGINNING, BLOCK_BYTES, Start, Stream, TransferError
from bioscan1m.foundation.errors import InputError
from bioscan1m.foundation.sources import fill_in, local_path, without_secrets

# How the connection to an https server by a proxy fails that does not let it through.
REFUSED_BY_PROXY = re.compile(r"Tunnel connection failed: (4\d\d)")
PROXY_LOGIN = "the proxy wants a login: http_proxy=http://user:password@host:port (https_proxy for https)"
# Answers that another try may turn into the file; all from 500 on count as well.
PASSING_TROUBLES = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}
# It quotes addresses, with what is secret in them, where the headers of an answer make no sense.
logging.getLogger("urllib3").setLevel(logging.CRITICAL)


@contextmanager
def open_local(source: str, start: Start, timeout: float) -> Iterator[Stream]:  # noqa: ARG001 (all openers take it)
    """Open a local file; `source` is a path or a file:// address.

    It is copied, not linked: a link would change with a source that is written to in place, and nobody would notice.
    """
    path = local_path(source)
    if path is None or not path.is_file():
        raise InputError(f"{path}: no such file; a relative path starts at the folder of the run, {Path.cwd()}")
    with path.open("rb") as file:
        status = path.stat()
        first = start.offset if start.offset <= status.st_size else 0
        file.seek(first)
        blocks = iter(lambda: file.read(BLOCK_BYTES), b"")
        yield Stream(blocks, first, status.st_size, f"{status.st_size} {status.st_mtime_ns}")


@contextmanager
def open_http(source: str, start: Start, timeout: float) -> Iterator[Stream]:
    """Open an http or https address; proxies and logins (netrc) are taken from the environment.

    A `${NAME}` in the address is the value of an environment variable. `timeout` is in seconds without a byte.
    """
    with requests.Session() as session, open_with_session(session, source, start, timeout) as stream:
        yield stream


@contextmanager
def open_with_session(session: requests.Session, source: str, start: Start, timeout: float) -> Iterator[Stream]:
    """As open_http, within a session that may hold cookies and headers."""
    with get(session, source, timeout, start) as response:
        if response.status_code == HTTPStatus.OK and is_web_page(response):
            raise InputError(_explain_web_page(response, source))
        yield read_answer(response, start)


def get(session: requests.Session, source: str, timeout: float, start: Start = BEGINNING) -> requests.Response:
    """Send a request for the bytes from `start` on and return the answer, its body still unread.

    Raises InputError or TransferError for an answer that is an error, naming neither query nor password of the address.
    """
    # A Range counts the bytes that are sent, so they must be those of the file, not of a compressed form.
    headers = {"Accept-Encoding": "identity"}
    if start.offset:
        headers |= {"Range": f"bytes={start.offset}-", **condition(start.version)}
    try:
        response = session.get(_checked(source), headers=headers, stream=True, timeout=timeout)
    except InputError:
        raise
    except (requests.exceptions.InvalidURL, requests.exceptions.MissingSchema, requests.exceptions.InvalidSchema):
        raise InputError(
            f"{without_secrets(source)}: not a valid address, or that of the proxy in the environment is not, or the "
            "server leads to one that is not; correct it in chunks.tsv or the config, or in http_proxy or https_proxy"
        ) from None
    except requests.exceptions.ProxyError as error:
        raise _trouble_of_proxy(error, source) from None
    except (requests.RequestException, HTTPError, HTTPException, OSError) as error:
        raise TransferError(reason(error)) from None
    except SENSELESS:
        raise TransferError(MAKES_NO_SENSE) from None
    status = response.status_code
    if status < HTTPStatus.BAD_REQUEST or status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
        return response
    response.close()
    if status in PASSING_TROUBLES or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise TransferError(f"the server answered {phrase(status)}", pause_of(response))
    raise InputError(f"{without_secrets(source)}: {_explain_refusal(status)}")


def _checked(source: str) -> str:
    """The address with what is secret filled in. Raises InputError where it is none."""
    url = fill_in(source)
    try:
        valid = bool(urlsplit(url).hostname) and urlsplit(url).port is not False
    except ValueError:
        valid = False
    if not valid:
        raise InputError(f"{without_secrets(source)}: not a valid address; correct it in chunks.tsv or the config")
    return url


def _trouble_of_proxy(error: requests.exceptions.ProxyError, source: str) -> TransferError | InputError:
    """A proxy refuses to connect to an https server in an error; that of http comes as an answer."""
    refused = REFUSED_BY_PROXY.search(str(root(error)))
    if refused is None:
        return TransferError(reason(error))
    remedy = f"the proxy answered {refused[1]}; ask those who run it whether it lets this server through"
    if int(refused[1]) == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        remedy = PROXY_LOGIN
    return InputError(f"{without_secrets(source)}: {remedy}")


def _explain_refusal(status: int) -> str:
    if status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        return PROXY_LOGIN
    return (
        f"the server answered {phrase(status)}; check the address in chunks.tsv or the config, and whether the file is "
        "public (if not: a login in ~/.netrc, a token in the environment, or one of the hub in HF_TOKEN)"
    )


def _explain_web_page(response: requests.Response, source: str) -> str:
    title = quoted_title(text_of(response), response)
    return (
        f"{without_secrets(source)}: the server sent a web page ('{title}') in place of the file. It may ask for a "
        "login, a download quota may be used up, or the address may be wrong: open it in a browser to see"
    )
