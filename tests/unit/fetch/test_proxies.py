"""Proxies of the environment are used, and no password, of theirs or of an address, is told or written."""

from __future__ import annotations

import logging
from base64 import b64encode
from collections.abc import Callable

import pytest
from loopback import cut, forward, serving, status, whole
from transfers import BLOCK, DATA, get, ranges, rest_from

from bioscan1m.foundation.errors import InputError


@pytest.fixture
def set_proxy(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Name a proxy as users do, for addresses on loopback too."""
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    return lambda address: [monkeypatch.setenv(name, address) for name in ("http_proxy", "https_proxy")]


def test_a_transfer_goes_through_the_proxy_and_its_password_is_told_nowhere(path, caplog, set_proxy):
    with caplog.at_level(logging.DEBUG), serving(cut(DATA, BLOCK), whole(DATA)) as server, serving(forward) as proxy:
        set_proxy(f"http://me:pr0xy@127.0.0.1:{proxy.server_port}")
        get(server.address, path)
    assert path.read_bytes() == DATA
    login = f"Basic {b64encode(b'me:pr0xy').decode()}"
    assert [request.headers["Proxy-Authorization"] for request in proxy.requests] == [login, login]
    assert [request.headers["Via"] for request in server.requests] == ["1.1 loopback", "1.1 loopback"]
    assert ranges(server) == [None, rest_from(BLOCK)]
    assert "pr0xy" not in caplog.text


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("http://me:pr0xy@127.0.0.1:{port}", "the proxy wants a login: http_proxy=http://user:password@host:port"),
        ("http://me:pr0xy@127.0.0.1:9", r"the connection through the proxy failed \(Connection refused\)"),
        ("http://me:pr0xy@:9", "not a valid address, or that of the proxy in the environment is not"),
        ("http://me:pr0xy#@127.0.0.1:9", "not a valid address, or that of the proxy in the environment is not"),
    ],
)
def test_trouble_with_a_proxy_is_told_without_its_password(path, caplog, set_proxy, address, told):
    with serving(status(407)) as proxy, caplog.at_level(logging.DEBUG):
        set_proxy(address.format(port=proxy.server_port))
        with pytest.raises(InputError, match=told) as error:
            get("http://127.0.0.1:9/file.zip", path)
    assert "pr0xy" not in str(error.value) + caplog.text


@pytest.mark.parametrize(
    ("code", "told"),
    [
        (407, "the proxy wants a login: http_proxy=http://user:password@host:port"),
        (403, "the proxy answered 403; ask those who run it whether it lets this server through"),
        (503, "after 1 attempt"),
    ],
)
def test_a_proxy_that_lets_nobody_through_to_https_is_told(path, caplog, set_proxy, code, told):
    with serving(status(code)) as proxy, caplog.at_level(logging.DEBUG):
        set_proxy(f"http://me:pr0xy@127.0.0.1:{proxy.server_port}")
        with pytest.raises(InputError, match=told) as error:
            get("https://127.0.0.1:9/file.zip", path, attempts=1)
    assert "pr0xy" not in str(error.value) + caplog.text


def test_no_token_and_no_password_is_told_or_written(path, caplog, set_proxy):
    secrets = ("s3cret", "hunter2", "pr0xy")
    set_proxy("http://me:pr0xy@127.0.0.1:9")
    with caplog.at_level(logging.DEBUG, logger="bioscan1m"), pytest.raises(InputError) as error:
        get("http://me:hunter2@127.0.0.1:9/file.zip?token=s3cret", path, attempts=2)
    assert "http://127.0.0.1:9/file.zip" in str(error.value)
    written = "".join(file.read_text() for file in path.parent.iterdir())
    assert [secret for secret in secrets if secret in str(error.value) + caplog.text + written] == []
