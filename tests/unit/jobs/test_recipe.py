"""Equal jobs leave equal files, and a file says which job made it."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bioscan1m.audit.identification import read_recipe_digest
from bioscan1m.foundation.archives import ZipWriter
from bioscan1m.foundation.recipe_hook import recipe_of_job, writing_by_recipe
from bioscan1m.foundation.tables import write_parquet
from bioscan1m.jobs import recipe
from bioscan1m.jobs.recipe import digest_without_recipe, recipe_digest
from bioscan1m.networks.weights import read_recipe, write_weights
from bioscan1m.package.images import ImagePackage
from pack_hdf5 import pack_hdf5

JOB = {
    "rule": "crop_chunk",
    "wildcards": {"chunk": "7"},
    "inputs": [{"path": "chunk.zip", "bytes": 5, "mtime_ns": 1, "sha256": "ab"}, {"path": "boxes", "sha256": "cd"}],
    "parameters": {"crop": {"ratio": 1.4, "pad": 2}, "threads": 4},
    "unwatched": ["threads"],
    "code": "crop_chunk:0123",
}


@pytest.mark.parametrize(
    "other",
    [
        {"rule": "crop_photographs"},
        {"wildcards": {"chunk": "8"}},
        {"inputs": JOB["inputs"][::-1]},
        {"inputs": JOB["inputs"][:1]},
        {"parameters": {"crop": {"ratio": 1.5, "pad": 2}, "threads": 4}},
        {"unwatched": []},
        {"code": "crop_chunk:4567"},
    ],
)
def test_what_decides_the_bytes_makes_another_recipe(other):
    assert recipe_digest(JOB | other) != recipe_digest(JOB)


@pytest.mark.parametrize(
    "other",
    [
        {"inputs": [{"path": "/elsewhere/chunk.zip", "mtime_ns": 9, "sha256": "ab"}, {"sha256": "cd"}]},
        {"parameters": {"threads": 1, "crop": {"pad": 2, "ratio": 1.4}}},
        {"machine": {"host": "node7"}, "started": "2026-01-01", "outputs": [{"sha256": "ef"}]},
    ],
)
def test_place_time_machine_and_speed_do_not(other):
    assert recipe_digest(JOB | other) == recipe_digest(JOB)


def test_the_digest_is_asked_for_only_where_it_is_written():
    with writing_by_recipe(lambda: pytest.fail("asked for")):
        pass
    with writing_by_recipe(lambda: "ab"):
        assert recipe_of_job() == {"recipe_digest": "ab"}
    assert recipe_of_job() == {}


@given(
    parts=st.lists(st.binary(max_size=200), min_size=1, max_size=4), digits=st.text("0123456789abcdef", min_size=128)
)
def test_files_that_differ_in_the_recipe_alone_are_known_as_such(tmp_path_factory, parts, digits):
    first, second = digits[:64], digits[64:128]
    folder = tmp_path_factory.mktemp("files")
    for name, digest in (("a", first), ("b", second)):
        (folder / name).write_bytes(digest.encode().join(parts))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(recipe, "BLOCK_BYTES", 70)  # so that a digest lies across two blocks
        digests = {digest_without_recipe(folder / name, digest) for name, digest in (("a", first), ("b", second))}
        assert len(digests) == 1
        (folder / "b").write_bytes((folder / "b").read_bytes() + b"!")
        assert digest_without_recipe(folder / "b", second) not in digests


def write_shard(path: Path) -> None:
    with ZipWriter(path) as archive:
        archive.add("part1/a.jpg", b"\xff\xd8 no more")


WRITERS = {
    ".zip": write_shard,
    ".hdf5": lambda path: (write_shard(path.with_suffix(".shard")), pack_hdf5([path.with_suffix(".shard")], path, {})),
    ".parquet": lambda path: write_parquet(path, pa.table({"a": [1]}, metadata={"classes": "[]"})),
    ".safetensors": lambda path: write_weights(path, {"a": torch.zeros(3)}, {"trial": {"seed": 1}}),
}


@pytest.mark.parametrize("suffix", WRITERS)
def test_files_of_every_kind_carry_it_and_differ_in_nothing_else(tmp_path, suffix):
    first, second, none = (tmp_path / f"{name}{suffix}" for name in ("first", "second", "none"))
    for path, digit in ((first, "a"), (second, "b")):
        with writing_by_recipe(lambda digit=digit: digit * 64):
            WRITERS[suffix](path)
    WRITERS[suffix](none)
    assert [read_recipe_digest(path) for path in (first, second, none)] == ["a" * 64, "b" * 64, None]
    assert digest_without_recipe(first, "a" * 64) == digest_without_recipe(second, "b" * 64)
    assert first.read_bytes() != second.read_bytes()


def test_what_was_in_the_metadata_is_still_there(tmp_path):
    with writing_by_recipe(lambda: "a" * 64):
        for suffix in (".parquet", ".safetensors", ".hdf5"):
            WRITERS[suffix](tmp_path / f"file{suffix}")
    assert pq.read_schema(tmp_path / "file.parquet").metadata[b"classes"] == b"[]"
    assert read_recipe(tmp_path / "file.safetensors") == {"trial": {"seed": 1}}
    assert list(ImagePackage(tmp_path / "file.hdf5")) == ["a.jpg"]


def test_a_record_says_what_its_recipe_was():
    plain = json.loads(json.dumps(JOB))
    assert recipe_digest(plain) == recipe_digest(JOB) and len(recipe_digest(JOB)) == recipe.DIGITS
    assert Path(recipe.__file__).is_file()
