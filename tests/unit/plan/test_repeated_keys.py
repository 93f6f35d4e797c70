"""A key that a config gives twice is an error, wherever it stands."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from bioscan1m.foundation.errors import InputError
from bioscan1m.plan.repeated_keys import refuse_repeated_keys

REPOSITORY = Path(__file__).parents[3]
keys = st.from_regex(r"[a-z]{1,3}", fullmatch=True)
configs = st.recursive(
    st.none() | st.integers() | st.text(max_size=5),
    lambda inner: st.dictionaries(keys, inner, max_size=4) | st.lists(inner, max_size=3),
    max_leaves=12,
)


def paths_of_mappings(value: object, path: tuple = ()) -> list[tuple]:
    """The place of each mapping that has a key."""
    if isinstance(value, dict):
        here = [path] if value else []
        return here + [found for key, part in value.items() for found in paths_of_mappings(part, (*path, key))]
    if isinstance(value, list):
        return [found for place, part in enumerate(value) for found in paths_of_mappings(part, (*path, place))]
    return []


@given(config=st.dictionaries(keys, configs, min_size=1), data=st.data(), flow=st.booleans())
def test_a_repeated_key_is_named_with_its_lines(tmp_path_factory, config, data, flow):
    path = tmp_path_factory.mktemp("config") / "config.yaml"
    path.write_text(yaml.safe_dump(config, default_flow_style=flow))
    refuse_repeated_keys(path)
    place = data.draw(st.sampled_from(paths_of_mappings(config)))
    mapping = config
    for step in place:
        mapping = mapping[step]
    repeated = data.draw(st.sampled_from(sorted(mapping)))
    mapping["zzzz"] = 1  # which becomes the same key again
    path.write_text(yaml.safe_dump(config, default_flow_style=flow).replace("zzzz:", f"{repeated}:"))
    with pytest.raises(InputError, match=rf"config\.yaml, line \d+: the key '{repeated}' is in line \d+ already"):
        refuse_repeated_keys(path)


@pytest.mark.parametrize("name", ["config.yaml", "tests/demo/config.yaml", "config/as_released.yaml", "chunks.tsv"])
def test_shipped_files_and_what_is_no_yaml_are_left(name):
    refuse_repeated_keys(REPOSITORY / name)
    refuse_repeated_keys("no such file")


def test_aliases_are_looked_at_once_and_merges_may_be_repeated(tmp_path):
    path = tmp_path / "bomb.yaml"
    lines = ["a0: &a0 {x: 1}", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 40))]
    path.write_text("\n".join([*lines, "merged: {<<: *a0, <<: *a0, y: 1}"]))
    refuse_repeated_keys(path)


def test_json_is_read_too(tmp_path):
    path = tmp_path / "config.json"
    path.write_text('{\n "crop": {"ratio": 1.4,\n  "ratio": 1.5}}')
    with pytest.raises(InputError, match="line 3: the key 'ratio' is in line 2 already"):
        refuse_repeated_keys(path)
