"""Numbers for names: told apart as the names are, however the column is cut into chunks."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from bioscan1m.foundation.image_keys import LONGEST_KEY
from bioscan1m.metadata.name_hashes import all_differ, hash_names

NAMES = st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30))


@given(NAMES, st.integers(0, 30))
def test_chunks_and_longer_neighbours_make_no_difference(names, cut):
    whole = hash_names(pd.Series(names, dtype="str"))
    chunks = pa.chunked_array([pa.array(part, pa.string()) for part in (names[:cut], names[cut:])])
    assert whole.dtype == np.uint64
    assert hash_names(chunks).tolist() == whole.tolist()
    longer = "x" * 99
    assert [*whole, *hash_names(pd.Series([longer]))] == hash_names(pd.Series([*names, longer])).tolist()


@given(NAMES)
def test_names_that_repeat_never_count_as_different(names):
    assert all_differ(pa.chunked_array([names], pa.string())) == (len(set(names)) == len(names))


def test_nothing_is_claimed_of_names_that_hashes_cannot_tell_apart():
    assert not all_differ(pa.chunked_array([["a", "a\0"]]))
    assert all_differ(pa.chunked_array([["a" * LONGEST_KEY, "b"]]))
    assert not all_differ(pa.chunked_array([["a" * 10 * LONGEST_KEY, "b"]]))
