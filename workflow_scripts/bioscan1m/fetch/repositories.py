"""Open files of the Hugging Face hub and of Zenodo; both are web servers that also state a checksum."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from urllib.parse import quote, unquote

import requests

from bioscan1m.fetch.answers import text_of
from bioscan1m.fetch.downloads import get, open_http, open_with_session
from bioscan1m.fetch.transfer import Start, Stream, TransferError
from bioscan1m.foundation.errors import InputError
from bioscan1m.foundation.sources import parse_checksum

ZENODO = "https://zenodo.org"
# As fsspec and the hub's own client write an address.
HUB_ADDRESS = re.compile(
    r"hf://(?:(?P<kind>dataset|space)s/)?(?P<repository>(?!datasets/|spaces/)[^/@]+/[^/@]+)(?:@(?P<revision>[^/]+))?"
    r"/(?P<file>.+)"
)


@contextmanager
def open_hub_file(source: str, start: Start, timeout: float) -> Iterator[Stream]:
    """Open `hf://datasets/<owner>/<name>@<revision>/<path>`, of a model without `datasets/`.

    By default the revision is main. A token is taken from HF_TOKEN or from the hub's own login; HF_ENDPOINT may name a
    mirror.
    """
    from huggingface_hub import get_token

    address, token = hub_address(source), get_token()
    with requests.Session() as session:
        if token is not None:
            session.headers["Authorization"] = f"Bearer {token}"  # requests drops it where the hub leads elsewhere
        with open_with_session(session, address, start, timeout) as stream:
            yield stream


def hub_address(source: str) -> str:
    """The web address of a file on the hub. Raises InputError for an address of another form."""
    from huggingface_hub import hf_hub_url

    match = HUB_ADDRESS.fullmatch(source)
    if match is None:
        raise InputError(f"'{source}' names no file of the hub; the form is hf://datasets/<owner>/<name>/<path>")
    revision = unquote(match["revision"] or "main")
    return hf_hub_url(match["repository"], match["file"], repo_type=match["kind"], revision=revision)


@contextmanager
def open_zenodo_file(source: str, start: Start, timeout: float) -> Iterator[Stream]:
    """Open `zenodo:<record>/<file name>`; Zenodo states its size and MD5."""
    record, _, name = source.partition(":")[2].partition("/")
    address = f"{ZENODO}/api/records/{quote(record)}/files/{quote(name, safe='')}"
    with requests.Session() as session, get(session, address, timeout) as response:
        try:
            described = json.loads(text_of(response))
            size, checksum = int(described["size"]), ":".join(parse_checksum(str(described["checksum"])))
        except (ValueError, LookupError, TypeError, OverflowError, RecursionError):
            raise TransferError("Zenodo's description of the file makes no sense") from None
    with open_http(f"{address}/content", start, timeout) as stream:
        yield replace(stream, total=size, version=checksum, checksum=checksum)
