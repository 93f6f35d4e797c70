"""Tokens, passwords and what servers send back of them: in no file of a run, and in nothing that it prints."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from loopback import Request, Server, serving

from workflow_runs import small_config, snakemake, snakemake_succeeds, write_config

pytestmark = pytest.mark.workflow

IMAGE_SET = "SW-60-val"
IMAGES, BOXES = f"data/annotations/{IMAGE_SET}.zip", f"data/annotations/{IMAGE_SET}.json"
METADATA = "data/BIOSCAN_Insect_Dataset_metadata.tsv"
TOKEN, PASSWORD, PROXY, SIGNATURE = "t0ken-s3cret", "netrc-s3cret", "pr0xy-s3cret", "redirect-s3cret"
LOGIN, PROXY_LOGIN = (b64encode(f"me:{word}".encode()).decode() for word in (PASSWORD, PROXY))
SECRETS = (TOKEN, PASSWORD, PROXY, SIGNATURE, LOGIN, PROXY_LOGIN, "renewed-s3cret")


class Secretive:
    """A server and its proxy in one: each file needs a secret, and pages have the secrets in their titles."""

    def __init__(self, source: Path) -> None:
        self.source, self.has_metadata, self.files_sent = source, False, 0

    def __call__(self, request: Request) -> None:
        asked = urlsplit(request.path)
        if request.headers["Proxy-Authorization"] != f"Basic {PROXY_LOGIN}":
            return self._send_page(request, 407)
        if asked.path == "/metadata":
            return request.reply(302, b"", Location=f"/signed?signature={SIGNATURE}")
        allowed = {
            "/images": (asked.query == f"token={TOKEN}", "annotated_validation.zip"),
            "/boxes": (request.headers["Authorization"] == f"Basic {LOGIN}", "annotated_validation.json"),
            "/signed": (asked.query == f"signature={SIGNATURE}", "BIOSCAN_Insect_Dataset_metadata.tsv"),
        }
        is_allowed, name = allowed[asked.path]
        if asked.path == "/signed" and not self.has_metadata:
            return self._send_page(request, 200)
        if not is_allowed:
            return self._send_page(request, 403)
        self.files_sent += 1
        return request.reply(200, (self.source / name).read_bytes())

    def _send_page(self, request: Request, status: int) -> None:
        sent = f"{request.path} {request.headers}".replace("\n", " ")
        request.reply(status, f"<title>{sent} {' '.join(SECRETS[:4])}</title>".encode(), Content_Type="text/html")


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Secretive, Server]]:
    answers = Secretive(tmp_path / "source")
    (tmp_path / "netrc").write_text(f"machine insects.example login me password {PASSWORD}\n")
    with serving(answers) as server:
        monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
        monkeypatch.setenv("http_proxy", f"http://me:{PROXY}@127.0.0.1:{server.server_port}")
        monkeypatch.setenv("INSECTS_TOKEN", TOKEN)
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        yield answers, server


def config_of(images: str) -> dict:
    config = small_config()
    config["fetch"]["attempts"] = 1
    config["detector"]["image_sets"][IMAGE_SET]["images"]["source"] = images
    config["detector"]["image_sets"][IMAGE_SET]["annotations"]["source"] = "http://insects.example/boxes"
    config["metadata"]["source"] = "http://insects.example/metadata"
    return config


def assert_free_of_secrets(run: Path, *printed: str) -> None:
    files = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    assert any(".snakemake" in path.parts for path in files)
    found = [(path, word) for path, content in files.items() for word in SECRETS if word.encode() in content]
    assert found == []
    assert [word for text in printed for word in SECRETS if word in text] == []


def test_no_secret_is_stored_or_printed_and_a_new_one_fetches_nothing_again(new_run, server, monkeypatch):
    answers, run = server[0], new_run
    (run / "source").rename(answers.source)
    write_config(run, config_of("HTTP://insects.example/images?token=${INSECTS_TOKEN}"))

    page = snakemake(run, METADATA, "--verbose")
    assert page.returncode != 0 and "sent a web page" in page.stdout
    monkeypatch.setenv("INSECTS_TOKEN", "")
    unset = snakemake(run, IMAGES)
    assert "the environment variable INSECTS_TOKEN, which has no value" in unset.stdout
    monkeypatch.setenv("INSECTS_TOKEN", "renewed-s3cret")
    refused = snakemake(run, IMAGES)
    assert "the server answered 403 Forbidden" in refused.stdout

    monkeypatch.setenv("INSECTS_TOKEN", TOKEN)
    answers.has_metadata = True
    done = snakemake_succeeds(run, METADATA, IMAGES, BOXES)
    assert answers.files_sent == 3
    monkeypatch.setenv("INSECTS_TOKEN", "renewed-s3cret")
    again = snakemake_succeeds(run, METADATA, IMAGES, BOXES)
    assert "Nothing to be done" in again
    assert_free_of_secrets(run, page.stdout, unset.stdout, refused.stdout, done, again)

    moved = config_of("http://insects.example/elsewhere?token=${INSECTS_TOKEN}")
    write_config(run, moved)
    changed = snakemake_succeeds(run, IMAGES, "--dry-run", "--quiet", "host")
    assert "Params have changed" in changed
    assert_free_of_secrets(run, changed)


@pytest.mark.parametrize("place", ["config", "manifest"])
@pytest.mark.parametrize("secret", ["HTTP://me:{0}@insects.example/images", "Https://insects.example/images?token={0}"])
def test_an_address_with_a_secret_is_refused_with_what_to_write(new_run, place, secret):
    address = secret.format(PASSWORD)
    write_config(new_run, config_of(address if place == "config" else "http://insects.example/images"))
    if place == "manifest":
        (new_run / "chunks.tsv").write_text(f"chunk\tsource\tbytes\tchecksum\n1\t{address}\t\t\n")
    refused = snakemake(new_run, METADATA)
    assert refused.returncode != 0 and PASSWORD not in refused.stdout
    assert "the address has" in refused.stdout and "write ${NAME} in its place" in refused.stdout
