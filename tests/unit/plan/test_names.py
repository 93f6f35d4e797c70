"""A name of the config is a safe part of a path, and no file of the run has it."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from bioscan1m.foundation.errors import LONGEST_LINE, InputError, shortened
from bioscan1m.plan.configuration import validate_config
from bioscan1m.plan.manifest import read_manifest
from bioscan1m.plan.names import NAMED
from bioscan1m.plan.run import Plan

REPOSITORY = Path(__file__).parents[3]
SCHEMA_FILE = REPOSITORY / "rules/schemas/config.schema.yaml"
CONFIG = yaml.safe_load((REPOSITORY / "config.yaml").read_text(encoding="utf-8"))
SOURCE = {"source": "x", "checksum": None}
# What may be named below a key.
ENTRIES: dict[str, Any] = {
    "detector.checkpoints": SOURCE,
    "detector.image_sets": {"images": SOURCE, "annotations": SOURCE},
    "splits.experiments": {"label": "order"},
    "classifier.backbones": CONFIG["classifier"]["backbones"]["resnet50"],
    "classifier.losses": {"gamma": 0},
    "classifier.checkpoints": {"experiment": "large_insect_order", "backbone": "resnet50", **SOURCE},
    "inference.photographs": "x",
    "entry.cropped": SOURCE,
    "entry.cropped_256": SOURCE,
}
SAFE = re.compile(r"\w[\w.-]{0,79}")
harmful = st.sampled_from(
    ["..", ".", "-rf", "x\n", "\n", "", "a/b", "a\\b", "{x}", "a b", "a" * 300, "$_{$", "é\n", "\x00", "x.tsv", "x.ZIP"]
)
any_name = st.text(st.sampled_from("aA1_.-") | st.characters(exclude_categories=["Cs"]), max_size=90)


def with_names(key: str, *names: str) -> dict[str, Any]:
    """The config of the full run with further names below a key."""
    config = copy.deepcopy(CONFIG)
    section, _, part = key.partition(".")
    config[section][part] = {**(config[section].get(part) or {}), **dict.fromkeys(names, ENTRIES[key])}
    return config


def mistake(config: dict[str, Any]) -> str | None:
    """The message, None where the config is valid."""
    try:
        validate_config(config, SCHEMA_FILE)
    except InputError as error:
        return str(error)
    return None


def test_every_key_with_names_is_known():
    assert set(ENTRIES) == set(NAMED)


@settings(deadline=None, max_examples=150)
@given(key=st.sampled_from(NAMED), name=harmful | any_name)
def test_a_name_is_a_safe_part_of_a_path_or_refused(key, name):
    if mistake(with_names(key, name)) is None:
        assert SAFE.fullmatch(name) and Path(name).suffix.lower() not in {".tsv", ".zip", ".json", ".png"}
        assert len(f"bioscan_images_cropped_full_part{name}.zip.part".encode()) <= 255


@settings(deadline=None, max_examples=40)
@given(key=st.sampled_from(NAMED), name=st.from_regex(r"[a-z][a-z0-9_-]{0,40}", fullmatch=True))
def test_a_plain_name_is_allowed_and_not_in_capitals_beside_it(key, name):
    assume(name not in {"roles", "counts", "shortfalls", "detector"})
    assert mistake(with_names(key, f"x{name}")) is None
    assert "in upper and lower case alone" in (mistake(with_names(key, f"x{name}", f"X{name}")) or "")


def own_files_of(folder: str, suffix: str) -> set[str]:
    """The names without suffix of the files that the rules write into a folder."""
    rules = "\n".join(path.read_text(encoding="utf-8") for path in (REPOSITORY / "rules").glob("*.smk"))
    return set(re.findall(rf'"{folder}/([\w.-]+){re.escape(suffix)}"', rules))


@pytest.mark.parametrize(
    ("key", "folder", "suffix"),
    [
        ("splits.experiments", "results/splits", ".parquet"),
        ("splits.experiments", "results/splits", ".tsv"),
        ("splits.experiments", "results/figures", ""),
        ("detector.checkpoints", "results/detector", ""),
        ("classifier.backbones", "data/weights", "/model.safetensors"),
    ],
)
def test_the_names_of_own_files_are_refused(key, folder, suffix):
    own = own_files_of(folder, suffix)
    assert own
    for name in own:
        assert name in (mistake(with_names(key, name)) or ""), name


@settings(deadline=None, max_examples=100)
@given(
    chunks=st.lists(st.from_regex(r"[abA][ab1-]{0,3}", fullmatch=True), min_size=1, max_size=8, unique=True),
    size=st.integers(1, 3),
)
def test_each_chunk_is_in_a_zip_of_crops_or_the_run_is_refused(chunks, size):
    config = copy.deepcopy(CONFIG)
    config["packages"]["chunks_per_group"] = size
    facts = {"source": "x", "bytes": None, "checksum": None}
    try:
        groups = Plan(config, dict.fromkeys(chunks, facts)).groups
    except InputError as error:
        assert "would both be called" in str(error)
    else:
        assert [chunk for group in groups.values() for chunk in group] == chunks


def test_groups_of_chunks_with_one_name_are_refused():
    config = copy.deepcopy(CONFIG)
    config["packages"]["chunks_per_group"] = 2
    facts = {"source": "x", "bytes": None, "checksum": None}
    with pytest.raises(InputError, match=r"the crops of a, b-c and of a-b, c would both be called a-b-c"):
        Plan(config, dict.fromkeys(["a", "b-c", "a-b", "c"], facts))


@settings(deadline=None, max_examples=100)
@given(names=st.lists(harmful | any_name, min_size=1, max_size=3))
def test_a_chunk_has_a_safe_name_or_its_row_is_named(tmp_path_factory, names):
    path = tmp_path_factory.mktemp("manifest") / "chunks.tsv"
    rows = "".join(f"{name}\thttps://example.org/x.zip\t\t\n" for name in names)
    path.write_text(f"chunk\tsource\tbytes\tchecksum\n{rows}", encoding="utf-8")
    try:
        chunks = read_manifest(path)
    except InputError as error:
        assert str(path) in str(error)
    else:
        assert all(re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,79}", name) for name in chunks)
        assert len({name.casefold() for name in chunks}) == len(chunks)


@given(lines=st.lists(st.text(st.characters(exclude_characters="\n"), max_size=3000), min_size=1, max_size=3))
def test_a_message_keeps_its_lines_and_their_ends_and_is_short(lines):
    short = shortened("\n".join(lines)).split("\n")
    assert len(short) == len(lines)
    for line, cut in zip(lines, short, strict=True):
        assert len(cut) <= LONGEST_LINE + 3
        assert cut == line or (line.startswith(cut[:400]) and line.endswith(cut[-400:]))
