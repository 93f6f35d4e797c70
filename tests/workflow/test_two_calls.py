"""The README's two calls after a change, as exact lists of jobs: the second makes what came out other than before."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pytest
import yaml
from PIL import Image, ImageOps

from bioscan1m.foundation.archives import ZipWriter, read_members
from job_lists import (
    ALWAYS,
    CROPPED_ANEW,
    DETECTED_ANEW,
    JOINS_OF_IMAGES,
    JOINS_OF_METADATA,
    LABELLED_ANEW,
    ONE_CHUNK,
    WITHOUT_THE_LAST_CHUNK,
    made,
    planned,
    trained,
)
from workflow_runs import write_config

pytestmark = pytest.mark.workflow

LARGE = "large_insect_order"


class Change(NamedTuple):
    """What a user changes, in a run or in the checkout of the workflow; and the jobs of the two calls that follow."""

    change: Callable[[Path, Path], None]
    first: dict[str, int]
    second: dict[str, int]


def configure(run: Path, value: Any, *keys: str) -> None:
    config = yaml.safe_load((run / "config.yaml").read_text())
    *outer, last = keys
    section = config
    for key in outer:
        section = section[key]
    section[last] = value
    write_config(run, config)


def crop_closer(run: Path, _: Path) -> None:
    configure(run, 1.2, "crop", "ratio")


def train_another_detector(run: Path, _: Path) -> None:
    configure(run, 7, "detector", "fine_tuning", "seed")


def rewrite_a_function(_: Path, checkout: Path) -> None:
    """So that it does the same in another way."""
    path = checkout / "workflow_scripts/bioscan1m/crop/rectangles.py"
    text = path.read_text()
    assert text.count("canvas.paste(") == 1
    path.write_text(text.replace("canvas.paste(", "canvas.load()\n    canvas.paste("))


def mirror_a_photograph(run: Path, _: Path) -> None:
    """One that only the largest experiment has."""
    chosen = image_of_the_largest_experiment_alone(run)
    with ZipWriter(run / "source/mirrored.zip") as chunk:
        for member, data in read_members(run / "source/bioscan_images_original_full_part3.zip"):
            chunk.add(member.name, mirrored(data) if member.image_file == chosen else data)
    manifest = pd.read_csv(run / "chunks.tsv", sep="\t", dtype=str)
    manifest.loc[manifest["chunk"] == "3", ["source", "bytes", "checksum"]] = "source/mirrored.zip", "", ""
    manifest.to_csv(run / "chunks.tsv", sep="\t", index=False)


def image_of_the_largest_experiment_alone(run: Path) -> str:
    images = {path.stem: set(pd.read_parquet(path)["image_file"]) for path in run.glob("results/splits/*_*_*.parquet")}
    alone = images.pop(LARGE).difference(*images.values())
    cropped = (member.image_file for member, _ in read_members(next(run.glob("results/cropped/*part3.zip"))))
    return next(image_file for image_file in cropped if image_file in alone)


def mirrored(data: bytes) -> bytes:
    buffer = io.BytesIO()
    ImageOps.mirror(Image.open(io.BytesIO(data))).save(buffer, "JPEG")
    return buffer.getvalue()


def remove_a_chunk(run: Path, _: Path) -> None:
    manifest = run / "chunks.tsv"
    manifest.write_text("\n".join(manifest.read_text().splitlines()[:-1]) + "\n")


def correct_a_label(run: Path, _: Path) -> None:
    """Of an order, so that no experiment on families has another one."""
    source = run / "source/BIOSCAN_Insect_Dataset_metadata.tsv"
    table = pd.read_csv(source, sep="\t", dtype=str, keep_default_na=False)
    split = pd.read_parquet(run / f"results/splits/{LARGE}.parquet").set_index("image_file")
    image_file = split.index[(split["label"] == "Hymenoptera") & (split["role"] == "train")][0]
    table.loc[table["image_file"] == image_file, "order"] = "Coleoptera"
    table.to_csv(source, sep="\t", index=False)


# Of three experiments with eight trainings; those on orders have six, the larger of these has two.
CHANGES = {
    "a function": Change(rewrite_a_function, CROPPED_ANEW, ALWAYS),
    "the crop ratio": Change(
        crop_closer,
        CROPPED_ANEW | {"draw_doubtful": 1},
        trained(3, 8, predicting=2, compared=1) | {"draw_detector_gallery": 1},
    ),
    "the detector": Change(
        train_another_detector,
        DETECTED_ANEW,
        trained(3, 8, predicting=2, compared=1)
        | {"draw_detector_training": 1, "evaluate_detector": 1, "tabulate_detector": 1, "draw_detector_gallery": 1},
    ),
    "a photograph": Change(mirror_a_photograph, ONE_CHUNK | JOINS_OF_IMAGES, trained(1, 2, predicting=1)),
    "a chunk less": Change(
        remove_a_chunk,
        WITHOUT_THE_LAST_CHUNK | JOINS_OF_METADATA,
        trained(3, 8, predicting=2, compared=2) | {"list_classes": 3, "join_all_quarantine": 1},
    ),
    "a label": Change(correct_a_label, LABELLED_ANEW, trained(2, 6, predicting=1, compared=2) | {"list_classes": 3}),
}
# One change of the code and one of the input are enough for each call of `make test`: each costs a minute of a core.
SLOW = set(CHANGES) - {"a function", "a label"}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if name in SLOW else ()) for name in CHANGES]
)
def test_two_calls_make_what_the_change_asks_for_and_nothing_else(run: Path, checkout: Path, name: str) -> None:
    change, first, second = CHANGES[name]
    change(run, checkout)
    assert made(run, "dataset", checkout=checkout) == first
    assert planned(run, "all", checkout=checkout) == second
