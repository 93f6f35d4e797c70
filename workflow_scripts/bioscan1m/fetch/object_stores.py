"""Open objects of s3:// and gs:// through fsspec. Its packages for them are not part of the installation.

Who asks is read from the environment by these packages: the AWS_ variables and files, or Google's application default
credentials. fsspec's own variables hold the rest, such as FSSPEC_S3_ANON=true for a public bucket.
"""

from __future__ import annotations

import logging
import os
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import IO, Any

import requests
from fsspec.core import url_to_fs

from bioscan1m.fetch.transfer import BLOCK_BYTES, Start, Stream, TransferError
from bioscan1m.foundation.errors import InputError
from bioscan1m.foundation.sources import scheme_of

GOOGLE_STORAGE = "https://storage.googleapis.com"
PACKAGES = {"s3": "s3fs", "gs": "gcsfs"}
# Of one request: little is lost when it breaks off, and there are not so many requests that they take the time.
REQUEST_BYTES = 2**24
# It logs what it raises as well, with a traceback; here one line is enough.
logging.getLogger("gcsfs").setLevel(logging.CRITICAL)


@contextmanager
def open_object(source: str, start: Start, timeout: float) -> Iterator[Stream]:
    """Open `s3://<bucket>/<key>` or `gs://<bucket>/<key>`; `timeout` is in seconds without a byte."""
    with _troubles_of(source):
        store, key = url_to_fs(source, skip_instance_cache=True, **_settings(source, timeout))
        found = store.info(key)
        if found["type"] != "file":
            raise InputError(f"{source}: a folder of the store, not a file; name one object")
        size, checksum = int(found["size"]), _stated_checksum(found)
        file = store.open(key, "rb", block_size=REQUEST_BYTES, cache_type="readahead")
    with file:
        first = start.offset if start.offset <= size else 0
        file.seek(first)
        version = found.get("ETag") or found.get("etag")
        yield Stream(_blocks(file, source), first, size, version, checksum)


def _settings(source: str, timeout: float) -> dict[str, object]:
    """What the packages do not do by themselves: s3fs waits as long as it likes; gcsfs for ever, and past any proxy.

    Of the environment gcsfs is given the proxy alone: a login for the store in ~/.netrc would clash with its own.
    """
    if scheme_of(source) == "gs":
        from aiohttp import ClientTimeout  # comes with gcsfs

        silence = ClientTimeout(total=None, sock_connect=timeout, sock_read=timeout)
        address = os.environ.get("STORAGE_EMULATOR_HOST", GOOGLE_STORAGE)
        proxy = requests.utils.select_proxy(address, requests.utils.get_environ_proxies(address))
        return {"requests_timeout": silence, "session_kwargs": {"proxy": proxy}}
    return {"config_kwargs": {"connect_timeout": timeout, "read_timeout": timeout}}


def _stated_checksum(found: dict[str, Any]) -> str | None:
    """The MD5 that Google's store states of most objects; an S3 store states none that is always one."""
    return f"md5:{b64decode(found['md5Hash']).hex()}" if "md5Hash" in found else None


def _blocks(file: IO[bytes], source: str) -> Iterator[bytes]:
    with _troubles_of(source):
        yield from iter(lambda: file.read(BLOCK_BYTES), b"")


@contextmanager
def _troubles_of(source: str) -> Iterator[None]:
    """Turn the errors of a store into ours; their own texts stay out, for they may quote a signed address."""
    try:
        yield
    except (InputError, MemoryError):
        raise
    except ImportError:
        package = PACKAGES[scheme_of(source)]
        raise InputError(
            f"{source}: this kind of address needs the package {package}; install it by `pip install {package}`"
        ) from None
    except FileNotFoundError:
        raise InputError(f"{source}: no such object; check bucket and key in chunks.tsv or the config") from None
    except Exception as error:
        if _is_refusal(error):
            raise InputError(
                f"{source}: the store refuses access; set AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY "
                "(s3), GOOGLE_APPLICATION_CREDENTIALS (gs), or FSSPEC_S3_ANON=true for a public bucket of s3"
            ) from None
        raise TransferError(f"the store failed ({type(error).__name__})") from None


def _is_refusal(error: Exception) -> bool:
    """Whether another login is wanted: s3fs and gcsfs have many errors for it, and are not installed everywhere."""
    return (
        isinstance(error, PermissionError)
        or "Credentials" in type(error).__name__
        or getattr(error, "code", None) in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
        or str(error).startswith("Forbidden: ")
    )
