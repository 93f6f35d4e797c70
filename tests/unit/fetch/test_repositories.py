"""Files of the Hugging Face hub and of Zenodo, both played by servers on loopback."""

from __future__ import annotations

import hashlib
import json
import logging

import pytest
from huggingface_hub import constants
from loopback import Request, cut, serving, whole
from transfers import BLOCK, DATA, MD5, OTHER, SHA256, get, is_alone, nothing_is_left, ranges, rest_from

from bioscan1m.fetch import repositories
from bioscan1m.fetch.repositories import hub_address
from bioscan1m.foundation.errors import InputError

SOURCE = "hf://datasets/owner/insects@v1/chunks/part 1.zip"
HUB = "https://huggingface.co"


@pytest.mark.parametrize(
    ("source", "address"),
    [
        (SOURCE, f"{HUB}/datasets/owner/insects/resolve/v1/chunks/part%201.zip"),
        ("hf://owner/model/tool.ckpt", f"{HUB}/owner/model/resolve/main/tool.ckpt"),
        ("hf://spaces/owner/app@refs%2Fpr%2F1/a", f"{HUB}/spaces/owner/app/resolve/refs%2Fpr%2F1/a"),
    ],
)
def test_the_address_of_a_file_on_the_hub(monkeypatch, source, address):
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", HUB + "/{repo_id}/resolve/{revision}/{filename}")
    assert hub_address(source) == address


@pytest.mark.parametrize("source", ["hf://owner", "hf://datasets/owner/insects", "hf://owner/name@v1", "hf:owner/n/f"])
def test_an_address_without_a_file_is_told(path, source):
    with pytest.raises(InputError, match=r"names no file of the hub; the form is hf://datasets/<owner>/<name>/<path>"):
        get(source, path)
    assert nothing_is_left(path)


@pytest.fixture
def token(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_s3cret")


def hub(monkeypatch, server) -> None:
    template = f"http://127.0.0.1:{server.server_port}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)


def leading_to(store, checksum: str = SHA256):
    """The hub's answer for a large file: it lies in a store, under another host name."""
    address = f"http://localhost:{store.server_port}/blob"

    def answer(request: Request) -> None:
        tag = checksum.removeprefix("sha256:")
        request.reply(302, b"", Location=address, X_Linked_Etag=f'"{tag}"')

    return answer


@pytest.mark.usefixtures("token")
def test_a_large_file_of_the_hub_resumes_and_the_token_stays_with_the_hub(path, monkeypatch, caplog):
    with serving(cut(DATA, BLOCK, "v1"), whole(DATA, "v1")) as store, serving(leading_to(store)) as server:
        hub(monkeypatch, server)
        with caplog.at_level(logging.DEBUG, logger="bioscan1m"):
            get(SOURCE, path, checksum=None)
    assert path.read_bytes() == DATA
    assert is_alone(path)
    assert ranges(store) == [None, rest_from(BLOCK)]
    assert server.requests[0].path == "/datasets/owner/insects/resolve/v1/chunks/part%201.zip"
    assert server.requests[0].headers["Authorization"] == "Bearer hf_s3cret"
    assert store.requests[0].headers["Authorization"] is None
    assert "hf_s3cret" not in caplog.text


def test_the_checksum_that_the_hub_states_is_held_against_the_file(path, monkeypatch):
    with serving(whole(OTHER)) as store, serving(leading_to(store)) as server:
        hub(monkeypatch, server)
        with pytest.raises(InputError, match=rf"expected was {SHA256}.*hf://datasets/owner"):
            get(SOURCE, path, checksum=None)
    assert nothing_is_left(path)


@pytest.mark.usefixtures("token")
def test_what_needs_a_token_is_told(path, monkeypatch):
    with serving(lambda request: request.reply(401, b"")) as server:
        hub(monkeypatch, server)
        with pytest.raises(InputError, match=r"answered 401 .*HF_TOKEN") as error:
            get(SOURCE, path)
    assert "hf_s3cret" not in str(error.value)


def described(**facts):
    """Zenodo's answer about a file."""
    return lambda request: request.reply(200, json.dumps(facts).encode(), Content_Type="application/json")


def zenodo(monkeypatch, server) -> None:
    monkeypatch.setattr(repositories, "ZENODO", f"http://127.0.0.1:{server.server_port}")


def test_a_file_of_zenodo_is_checked_by_the_size_and_md5_that_zenodo_states(path, monkeypatch):
    facts = described(size=len(DATA), checksum=MD5)
    with serving(facts, cut(DATA, BLOCK), facts, whole(DATA)) as server:
        zenodo(monkeypatch, server)
        get("zenodo:8030065/cropped 256.zip", path, checksum=None)
    assert path.read_bytes() == DATA
    assert [request.path for request in server.requests[:2]] == [
        "/api/records/8030065/files/cropped%20256.zip",
        "/api/records/8030065/files/cropped%20256.zip/content",
    ]
    assert ranges(server) == [None, None, None, rest_from(BLOCK)]


def test_a_file_that_is_not_the_one_that_zenodo_states_is_removed(path, monkeypatch):
    other = "md5:" + hashlib.md5(OTHER).hexdigest()
    with serving(described(size=len(DATA), checksum=other), whole(DATA)) as server:
        zenodo(monkeypatch, server)
        with pytest.raises(InputError, match=rf"{MD5}, expected was {other}"):
            get("zenodo:8030065/cropped_256.zip", path, checksum=None)
    assert nothing_is_left(path)


def test_a_record_that_zenodo_does_not_have_is_told(path, monkeypatch):
    with serving(lambda request: request.reply(404, b"{}")) as server:
        zenodo(monkeypatch, server)
        with pytest.raises(InputError, match=r"/api/records/1/files/a\.zip: the server answered 404"):
            get("zenodo:1/a.zip", path)


def test_an_answer_of_zenodo_that_makes_no_sense_is_tried_again(path, monkeypatch):
    facts = described(size=len(DATA), checksum=MD5)
    with serving(described(status="busy"), facts, whole(DATA)) as server:
        zenodo(monkeypatch, server)
        get("zenodo:8030065/cropped_256.zip", path)
    assert path.read_bytes() == DATA
