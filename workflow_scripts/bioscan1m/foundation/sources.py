"""Where a file comes from, as chunks.tsv and the config write it: an address, a size and a checksum.

Read when the Snakefile is parsed, so it imports nothing that is slow.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import NotRequired, TypedDict
from urllib.parse import unquote

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
ADDRESS = re.compile(r"\s*(https?:[/\\]*|[a-z][a-z0-9+.-]*://)(.*)", re.IGNORECASE | re.DOTALL)
HOST = re.compile(r"(?:[\w.${}-]*|\[[0-9a-f:.]*\])(?::[0-9]+)?", re.IGNORECASE)
VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")  # in a web address: its value is that of the environment
# Parameters of web addresses that name a file or a form of it. Any other one may be a token.
PUBLIC_PARAMETER = re.compile(
    r"(?:file|doc|document|record|item|object|dataset|datafile|persistent|res|resource|version|c)?_?-?id"
    r"|file_?-?s?|file_?-?name|name|path|part|chunk|page|number|n|doi|version|v|rev|revision|ref|branch|collection"
    r"|download|force_?download|dl|raw|format|export|alt|confirm|type|action|inline|attachment|lang",
    re.IGNORECASE,
)


class Source(TypedDict):
    """What the parameters of the rules have of a file to fetch; size and checksum are None where they are unknown."""

    source: str
    bytes: NotRequired[int | None]  # rows of the manifest have it, entries of the config do not
    checksum: str | None
    key_folder: NotRequired[str]  # where the images have their paths as keys: see image_keys.py
    first: NotRequired[str]  # of a part of a folder: its images are those whose paths are not before this one
    before: NotRequired[str | None]  # and come before this one; None where it goes to the end


def scheme_of(source: str) -> str:
    """The scheme of an address, empty for a local path. Raises InputError for one that is not in SCHEMES."""
    match = re.match(r"([A-Za-z][A-Za-z0-9+-]*):", source)
    scheme = match[1].lower() if match else ""
    if scheme not in SCHEMES or not source.removeprefix(f"{scheme}:"):
        raise InputError(
            f"'{without_secrets(source)}' is no address of a file; allowed are: {'; '.join(SCHEMES.values())}"
        )
    return scheme


def local_path(source: str) -> Path | None:
    """The path that a local address means, None for all others."""
    scheme = scheme_of(source)
    if scheme == "file":
        return Path(unquote(re.sub(r"[?#].*", "", re.sub(r"^[^:]*:(//[^/]*)?", "", source))))
    return Path(source).expanduser() if scheme == "" else None


def local_source(source: Source) -> list[str]:
    """The file on this machine that a source means, whose changes are noticed; none for a folder or a server."""
    path = local_path(source["source"])
    return [] if path is None or path.is_dir() else [str(path)]


def without_secrets(source: str) -> str:
    """The address for logs, messages and records, without what may be secret; any other text as it is.

    A login is left out of all addresses, query and fragment of those of the web, also where the address is wrong.
    """
    match = ADDRESS.match(source)
    if match is None:
        return source
    scheme, rest = match.groups()
    rest = rest[len(_login(rest)) :]
    return scheme + (rest if _is_of_store(scheme) else re.split(r"[?#]", rest)[0])


def without_secrets_within(text: str) -> str:
    """A text in which each address, up to the next space or quote, is as without_secrets has it."""
    return re.sub(r"(?i)https?:[^\s'\"]+", lambda match: without_secrets(match[0]), text)


def refuse_secrets(source: str) -> None:
    """Raise InputError for an address with a login, or with a parameter that may be a token.

    They would stand in what Snakemake prints and stores of a job. A `${NAME}` stands for a variable of the environment.
    """
    match = ADDRESS.match(source)
    found = None if match is None else _secret_part(*match.groups())
    if found is not None:
        raise InputError(
            f"{without_secrets(source)}: the address has {found} in it, which the run would store and print; write "
            "${NAME} in its place and give its value in the environment variable NAME, or put a login into ~/.netrc "
            "(docs/sources.md)"
        )


def fill_in(source: str) -> str:
    """The address with the values of the variables that it names. Raises InputError where one has no value."""

    def value(match: re.Match[str]) -> str:
        if not os.environ.get(match[1]):
            raise InputError(
                f"{without_secrets(source)}: the address names the environment variable {match[1]}, which has no "
                f"value; set it: export {match[1]}=…"
            )
        return os.environ[match[1]]

    return VARIABLE.sub(value, source)


def _login(rest: str) -> str:
    """What stands before the host, up to its @; also where the login of a wrong address has a / or # in it."""
    authority = re.split(r"[/\\?#]", rest)[0]
    place = authority if "@" in authority or HOST.fullmatch(authority) else rest
    return place[: place.rfind("@") + 1]


def _secret_part(scheme: str, rest: str) -> str | None:
    """What kind of secret follows the scheme of an address, in words; None where there is none."""
    login = _login(rest)
    name, colon, password = VARIABLE.sub("", login).removesuffix("@").partition(":")
    if password or (name and not colon):
        return "a login"
    query = "" if _is_of_store(scheme) else re.sub(r"^[^?#]*", "", rest[len(login) :])
    if any(_may_be_secret(part) for part in re.split(r"[?#&;]", query)):
        return "a parameter that may be secret"
    return None


def _may_be_secret(part: str) -> bool:
    """Whether `name=value` of a query has a text that is neither known to be public nor from the environment."""
    name, is_set, value = VARIABLE.sub("", part).partition("=")
    from_environment = VARIABLE.search(part) is not None and not (value if is_set else name)
    return part != "" and not from_environment and PUBLIC_PARAMETER.fullmatch(name) is None


def _is_of_store(scheme: str) -> bool:
    """Whether ? and # are letters of a name."""
    name = scheme.partition(":")[0].lower()
    return name in SCHEMES and name not in ("http", "https")


def parse_checksum(checksum: str) -> tuple[str, str]:
    """Algorithm and hex digits, lower case. Raises InputError for any other form than CHECKSUM_FORM."""
    algorithm, _, digits = checksum.lower().partition(":")
    if not re.fullmatch({"md5": r"[0-9a-f]{32}", "sha256": r"[0-9a-f]{64}"}.get(algorithm, r"(?!)"), digits):
        raise InputError(f"'{checksum}' is no checksum; the form is {CHECKSUM_FORM}")
    return algorithm, digits
