"""Objects of an S3 server on loopback; what is missing is told with the command that mends it."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator

import boto3
import pytest
from fsspec.config import conf, set_conf_env
from moto.server import ThreadedMotoServer
from transfers import BLOCK, DATA, OTHER, get, is_alone, nothing_is_left

from bioscan1m.fetch.part_file import PartFile
from bioscan1m.fetch.verified import fetch
from bioscan1m.foundation.errors import InputError

SOURCE = "s3://insects/chunks/part 1.zip"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    running = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    yield f"http://{host}:{port}"
    running.stop()


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "someone")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s3cret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
def bucket(server: str, monkeypatch: pytest.MonkeyPatch):
    """A bucket with one object, and the environment that leads to it."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", server)
    store = boto3.client("s3")
    store.create_bucket(Bucket="insects")
    store.put_object(Bucket="insects", Key="chunks/part 1.zip", Body=DATA, ACL="public-read")
    return store


def begin(path, data: bytes, version: str) -> None:
    """Leave what a broken transfer leaves."""
    with PartFile(path, SOURCE, "sha256").appending(version) as append:
        append(data)


@pytest.mark.usefixtures("bucket")
def test_an_object_is_fetched(path):
    get(SOURCE, path, len(DATA))
    assert path.read_bytes() == DATA
    assert is_alone(path)


def test_a_broken_transfer_goes_on_where_it_stopped(bucket, path, caplog):
    begin(path, DATA[:BLOCK], bucket.head_object(Bucket="insects", Key="chunks/part 1.zip")["ETag"])
    with caplog.at_level(logging.INFO):
        get(SOURCE, path)
    assert path.read_bytes() == DATA
    assert f"going on from byte {BLOCK}" in caplog.text


@pytest.mark.usefixtures("bucket")
def test_an_object_that_has_changed_meanwhile_is_not_mixed(path):
    begin(path, OTHER[:BLOCK], '"another version"')
    get(SOURCE, path, checksum=None)
    assert path.read_bytes() == DATA


@pytest.mark.usefixtures("bucket")
def test_a_wrong_checksum_leaves_nothing(path):
    with pytest.raises(InputError, match=r"has the checksum.*s3://insects/chunks/part 1\.zip and was removed"):
        get(SOURCE, path, checksum="md5:" + "0" * 32)
    assert nothing_is_left(path)


@pytest.mark.usefixtures("bucket")
def test_an_absent_object_and_a_folder_are_told_at_once(path):
    with pytest.raises(InputError, match=r"s3://insects/absent\.zip: no such object; check bucket and key"):
        get("s3://insects/absent.zip", path)
    with pytest.raises(InputError, match=r"s3://insects/chunks: a folder"):
        get("s3://insects/chunks", path)
    assert nothing_is_left(path)


@pytest.mark.usefixtures("bucket")
def test_missing_credentials_are_told_and_a_public_bucket_needs_none(path, monkeypatch, tmp_path):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    with pytest.raises(InputError, match=r"refuses access; set AWS_PROFILE .*FSSPEC_S3_ANON=true"):
        get(SOURCE, path)
    monkeypatch.setitem(conf, "s3", {})
    set_conf_env(conf, {"FSSPEC_S3_ANON": "true"})
    get(SOURCE, path)
    assert path.read_bytes() == DATA


def test_a_store_that_does_not_answer_is_given_up_and_no_secret_is_told(path, monkeypatch, caplog):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with (
        caplog.at_level(logging.DEBUG, logger="bioscan1m"),
        pytest.raises(InputError, match="gave up on s3://") as error,
    ):
        fetch(SOURCE, path, attempts=1, timeout=1, first_pause=0.001)
    assert "s3cret" not in str(error.value) + caplog.text


@pytest.mark.parametrize(("scheme", "package"), [("s3", "s3fs"), ("gs", "gcsfs")])
def test_a_missing_package_is_told_with_the_command_that_installs_it(path, monkeypatch, scheme, package):
    monkeypatch.delitem(sys.modules["fsspec.registry"]._registry, scheme, raising=False)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(InputError, match=rf"{scheme}://b/k: .*needs the package {package}; .*`pip install {package}`"):
        get(f"{scheme}://b/k", path)
    assert nothing_is_left(path)
