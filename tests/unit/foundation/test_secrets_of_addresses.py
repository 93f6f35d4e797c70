"""What is secret in an address is never shown, however it is written, and is refused where it stands in a config."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioscan1m.foundation.errors import InputError
from bioscan1m.foundation.sources import fill_in, refuse_secrets, scheme_of, without_secrets, without_secrets_within

SECRET = "Zq7s3cretZq7"
SCHEMES = st.sampled_from(["http", "https", "HTTP", "hTTps", "ftp", "S3", "gs", "hf", "file"])
WEB = st.sampled_from(["http", "https", "HTTP", "hTTps"])
HOSTS = st.sampled_from(["host", "host:8080", "[::1]", "[::1", "a.b-c.org", "${HOST}", ""])
PATHS = st.sampled_from(["", "/", "/a/b.zip", "/@scope/file", "//x", "/%20"])
QUERIES = st.sampled_from(["?{}", "?token={}", "?id=1&x={}", "#{}", "?a=1;b={}", "?file=a#k={}", "?t=${{T}}{}"])
AROUND = st.text(st.sampled_from("ab:%+=&-"), max_size=4)


@given(SCHEMES, st.sampled_from(["me:{}@", "{}@", ":{}@", "me:x/{}@", "me:#{}@", "me:?{}@"]), AROUND, HOSTS, PATHS)
def test_a_login_is_never_shown_and_refused(scheme, form, around, host, path):
    address = f"{scheme}://{form.format(around + SECRET)}{host}{path}"
    assert SECRET not in without_secrets(address)
    with pytest.raises(InputError, match=r"write \$\{NAME\} in its place") as error:
        refuse_secrets(address)
    assert SECRET not in str(error.value)


@given(WEB, HOSTS, PATHS, QUERIES, AROUND)
def test_a_query_is_never_shown_and_refused_where_it_may_be_a_token(scheme, host, path, form, around):
    address = f"{scheme}://{host}{path}{form.format(SECRET + around)}"
    assert SECRET not in without_secrets(address)
    assert SECRET not in without_secrets_within(f"metadata: '{address}' is not of type 'object'")
    with pytest.raises(InputError) as error:
        refuse_secrets(address)
    assert SECRET not in str(error.value)


@pytest.mark.parametrize(
    "address",
    [
        "https://host/a.zip",
        "https://host:8080/a@b/c.zip?download=1",
        "https://dataverse.org/api/access/datafile/:persistentId?persistentId=doi:10.5683/SP3/X&format=original",
        "https://host/get?file=part1.zip&part=1&fileId=7",
        "https://me:${PASSWORD}@host/a.zip?token=${TOKEN}&${SIGNED}",
        "hf://datasets/owner/name@v1/a@b.zip",
        "s3://bucket/key?with#letters",
        "gdrive:1ft17GpcC_xDhx5lOBhYAEtox0sdZchjA",
        "file:///a/b@c.zip",
        "/a/b@c?d.zip",
        "C:\\images",
    ],
)
def test_an_address_without_a_secret_is_allowed(address):
    refuse_secrets(address)


def test_a_variable_has_its_value_only_where_it_is_filled_in(monkeypatch):
    address = "https://host/${SHARE}/a.zip?token=${TOKEN}"
    monkeypatch.setenv("SHARE", "x")
    monkeypatch.setenv("TOKEN", SECRET)
    assert fill_in(address) == f"https://host/x/a.zip?token={SECRET}"
    monkeypatch.setenv("TOKEN", "")
    with pytest.raises(InputError, match="the environment variable TOKEN, which has no value"):
        fill_in(address)


@given(st.text())
def test_any_text_has_a_form_for_messages(text):
    without_secrets(text)
    without_secrets(f"http://{text}")
    try:
        scheme_of(text)
        refuse_secrets(f"http://{text}")
    except InputError:
        pass
