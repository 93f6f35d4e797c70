"""The names that others may import from the library."""

from __future__ import annotations

import pytest

import bioscan1m


def test_each_name_is_there_with_its_documentation() -> None:
    assert bioscan1m.__all__ == sorted(set(bioscan1m.__all__))
    for name in bioscan1m.__all__:
        assert getattr(bioscan1m, name).__doc__


def test_another_name_is_an_error() -> None:
    with pytest.raises(AttributeError, match="module 'bioscan1m' has no attribute 'read_everything'"):
        _ = bioscan1m.read_everything
