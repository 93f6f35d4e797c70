"""Open files of Google Drive: gdown knows Drive's pages, the bytes come by the same way as from any web server.

Drive answers the request for a large file with a page that asks to confirm that no virus scan was made, and with a page
where the file's download quota is used up.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import gdown
import requests
from gdown.download import get_url_from_gdrive_confirmation
from gdown.exceptions import DownloadError, FileURLRetrievalError

from bioscan1m.fetch.answers import SENSELESS, is_web_page, one_line, quoted_title, text_of
from bioscan1m.fetch.downloads import get, open_with_session
from bioscan1m.fetch.transfer import Start, Stream, TransferError
from bioscan1m.foundation.errors import InputError

DRIVE = "https://drive.google.com/uc"
# Drive gives an unknown client a viewer's page, not the file.
USER_AGENT = "Mozilla/5.0"
LONGEST_LIST = 1000  # letters of the names of a folder's files in a message


@contextmanager
def open_drive_file(source: str, start: Start, timeout: float) -> Iterator[Stream]:
    """Open `gdrive:<file id>`, the file being visible to anyone with its link."""
    with requests.Session() as session:
        session.headers["User-Agent"] = USER_AGENT
        url = _download_address(session, source, timeout)
        with open_with_session(session, url, start, timeout) as stream:
            yield stream


@contextmanager
def open_drive_folder_file(source: str, start: Start, timeout: float) -> Iterator[Stream]:
    """Open `gdrive-folder:<folder id>/<file name>`; below the folder, the name may have folders before it."""
    folder, _, name = source.partition(":")[2].partition("/")
    files = _list_folder(folder, timeout)
    if name not in files:
        names = one_line(", ".join(sorted(files)), LONGEST_LIST)
        raise InputError(f"{source}: the Drive folder has no file of this name; it has: {names}")
    with open_drive_file(f"gdrive:{files[name]}", start, timeout) as stream:
        yield stream


def _download_address(session: requests.Session, source: str, timeout: float) -> str:
    """The address that sends the file itself."""
    address = f"{DRIVE}?id={source.partition(':')[2]}&export=download"
    with get(session, address, timeout) as response:
        if not is_web_page(response):
            return address
        page = text_of(response)
        try:
            return get_url_from_gdrive_confirmation(page)
        except FileURLRetrievalError:
            title = quoted_title(page, response)
            raise InputError(
                f"{source}: Google Drive sent a web page ('{title}') in place of the file. Either its download quota "
                "is used up (then try again in 24 hours, or name a copy in chunks.tsv or the config) or it is not "
                "shared with anyone who has the link"
            ) from None
        except SENSELESS:
            raise TransferError("Google Drive's page makes no sense") from None


def _list_folder(folder: str, timeout: float) -> dict[str, str]:
    """Path in the folder -> file id."""
    try:
        files = gdown.download_folder(id=folder, skip_download=True, quiet=True, use_cookies=False, timeout=timeout)
    except DownloadError:
        raise InputError(
            f"gdrive-folder:{folder}: Google Drive does not list this folder; check its id, and that it is shared with "
            "anyone who has the link"
        ) from None
    except (requests.RequestException, *SENSELESS):
        raise TransferError("Google Drive's list of the folder failed") from None
    return {file.path: file.id for file in files if not isinstance(file, str)}  # str: what has been downloaded
