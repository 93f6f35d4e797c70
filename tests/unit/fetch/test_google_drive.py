"""Google Drive, played by a server on loopback: its page about large files, its quota page, its folders."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from loopback import cut, page, serving, whole
from transfers import BLOCK, DATA, get, nothing_is_left, ranges, rest_from

from bioscan1m.fetch import google_drive
from bioscan1m.foundation.errors import InputError


def drive(monkeypatch, server, **files):
    """Point the code at the loopback server, and its one folder at these files."""
    monkeypatch.setattr(google_drive, "DRIVE", server.address)
    listing = [SimpleNamespace(path=name, id=file) for name, file in files.items()]
    monkeypatch.setattr(google_drive.gdown, "download_folder", lambda **_: listing)


def confirmation(request):
    form = (
        '<form id="download-form" action="http://127.0.0.1:{port}/download" method="get">'
        '<input type="hidden" name="id" value="abc"><input type="hidden" name="confirm" value="t"></form>'
    )
    page("Google Drive - Virus scan warning", form.format(port=request.server.server_port))(request)


def test_drives_page_about_large_files_is_confirmed_and_the_download_resumes(path, monkeypatch):
    with serving(confirmation, cut(DATA, BLOCK), confirmation, whole(DATA)) as server:
        drive(monkeypatch, server)
        get("gdrive:abc", path)
    assert path.read_bytes() == DATA
    assert "id=abc" in server.requests[0].path
    assert server.requests[1].path == "/download?id=abc&confirm=t"
    assert ranges(server) == [None, None, None, rest_from(BLOCK)]


def test_a_small_file_of_drive_needs_no_confirmation(path, monkeypatch):
    with serving(whole(DATA)) as server:
        drive(monkeypatch, server)
        get("gdrive:abc", path)
    assert path.read_bytes() == DATA


def test_drives_quota_page_is_told(path, monkeypatch):
    quota = page("Google Drive - Quota exceeded", '<p class="uc-error-subcaption">Too many users …</p>')
    with serving(quota) as server, pytest.raises(InputError, match=r"gdrive:abc: .*Quota exceeded.*24 hours"):
        drive(monkeypatch, server)
        get("gdrive:abc", path)
    assert nothing_is_left(path)


def test_a_file_of_a_drive_folder_is_found_by_its_name(path, monkeypatch):
    with serving(whole(DATA)) as server:
        drive(monkeypatch, server, **{"other.ckpt": "1", "inner/crop tool.ckpt": "xyz"})
        get("gdrive-folder:folder/inner/crop tool.ckpt", path)
        with pytest.raises(InputError, match=r"no file of this name; it has: inner/crop tool\.ckpt, other\.ckpt"):
            get("gdrive-folder:folder/absent.ckpt", path)
    assert path.read_bytes() == DATA
    assert "id=xyz" in server.requests[0].path
