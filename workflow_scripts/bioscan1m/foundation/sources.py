"""Where a file comes from, as chunks.tsv and the config write it: an address, a size and a checksum.

Read when the Snakefile is parsed, so it imports nothing that is slow.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NotRequired, TypedDict
from urllib.parse import unquote, urlsplit

from bioscan1m.foundation.errors import InputError

# Scheme of an address -> its form, for messages. The empty scheme is a local path.
SCHEMES = {
    "": "a local path of a file or of a folder of images",
    "file": "file:///path",
    "https": "https://host/path",
    "http": "http://host/path",
    "gdrive": "gdrive:<file id>",
    "gdrive-folder": "gdrive-folder:<folder id>/<file name>",
    "zenodo": "zenodo:<record>/<file name>",
    "hf": "hf://datasets/<owner>/<name>@<revision>/<path>",
    "s3": "s3://<bucket>/<key>",
    "gs": "gs://<bucket>/<key>",
}
CHECKSUM_FORM = "md5:<32 hex digits> or sha256:<64 hex digits>"


class Source(TypedDict):
    """What the parameters of the rules have of a file to fetch; size and checksum are None where they are unknown."""

    source: str
    bytes: NotRequired[int | None]  # rows of the manifest have it, entries of the config do not
    checksum: str | None
    key_folder: NotRequired[str]  # where the images have their paths as keys: see image_keys.py


def scheme_of(source: str) -> str:
    """The scheme of an address, empty for a local path. Raises InputError for one that is not in SCHEMES."""
    match = re.match(r"([A-Za-z][A-Za-z0-9+-]*):", source)
    scheme = match[1].lower() if match else ""
    if scheme not in SCHEMES or not source.removeprefix(f"{scheme}:"):
        raise InputError(f"'{source}' is no address of a file; allowed are: {'; '.join(SCHEMES.values())}")
    return scheme


def local_path(source: str) -> Path | None:
    """The path that a local address means, None for all others."""
    scheme = scheme_of(source)
    if scheme == "file":
        return Path(unquote(urlsplit(source).path))
    return Path(source).expanduser() if scheme == "" else None


def local_source(source: Source) -> list[str]:
    """The file on this machine that a source means, whose changes are noticed; none for a folder or a server."""
    path = local_path(source["source"])
    return [] if path is None or path.is_dir() else [str(path)]


def without_secrets(source: str) -> str:
    """The address for logs and messages: no user, password, query or fragment, where tokens may stand."""
    if scheme_of(source) not in ("http", "https"):
        return source
    parts = urlsplit(source)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()


def parse_checksum(checksum: str) -> tuple[str, str]:
    """Algorithm and hex digits, lower case. Raises InputError for any other form than CHECKSUM_FORM."""
    algorithm, _, digits = checksum.lower().partition(":")
    if not re.fullmatch({"md5": r"[0-9a-f]{32}", "sha256": r"[0-9a-f]{64}"}.get(algorithm, r"(?!)"), digits):
        raise InputError(f"'{checksum}' is no checksum; the form is {CHECKSUM_FORM}")
    return algorithm, digits
