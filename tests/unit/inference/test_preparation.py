"""Photographs that were prepared in another way than the images of the run are refused, with what differs."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from torch import nn

from bioscan1m.experiments.trained_classifier import TrainedClassifier
from bioscan1m.foundation.atomic import write_json
from bioscan1m.foundation.errors import InputError
from bioscan1m.inference.preparation import require_same_preparation

DETECTION = {
    "rule": "detect_insects",
    "parameters": {"detection": {"score_threshold": 0.5}, "machine": {"threads": 1}},
    "inputs": [{"path": "1.zip", "sha256": "1"}, {"path": "results/detector/A/model.safetensors", "sha256": "d"}],
    "outputs": [{"path": "boxes/1.parquet", "sha256": "b"}],
}
CROPPING = {
    "rule": "crop_chunk",
    "parameters": {"crop": {"ratio": 1.4, "rotate": False}, "member_folder": "part1"},
    "inputs": [{"path": "boxes/1.parquet", "sha256": "b"}],
    "outputs": [{"path": "cropped/1.zip", "sha256": "c"}],
}


class Prepared:
    """A run and photographs that are prepared alike, and classifiers trained on the run's images."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.run = folder, copy.deepcopy([DETECTION, CROPPING])
        self.photographs = copy.deepcopy(self.run)
        for record in self.photographs:
            record["parameters"] |= {"machine": {"threads": 8}, "member_folder": "partmine"}
            record["outputs"] = []
        self.data = "images"

    def check(self) -> None:
        digest = self.folder / "data.digest.json"
        write_json(digest, {"experiment": "orders", "sha256": "images"})
        recipe = {"trial": {"experiment": "orders"}, "data": self.data}
        written = [self._write("run", self.run), self._write("photographs", self.photographs)]
        require_same_preparation(*written, [digest], [TrainedClassifier(recipe, nn.Identity())])

    def _write(self, name: str, records: list[dict[str, Any]]) -> list[Path]:
        paths = [self.folder / f"{name}{place}.json" for place in range(len(records))]
        for path, record in zip(paths, records, strict=True):
            write_json(path, record)
        return paths


@pytest.fixture
def prepared(tmp_path: Path) -> Prepared:
    return Prepared(tmp_path)


def test_photographs_that_are_prepared_alike_are_taken(prepared):
    prepared.check()


def test_another_ratio_is_refused_with_both_and_what_to_do(prepared):
    prepared.photographs[1]["parameters"]["crop"]["ratio"] = 1.2
    with pytest.raises(InputError, match=r"crop\.ratio is 1\.2 now, and was 1\.4\..*snakemake experiments") as refused:
        prepared.check()
    assert "inference.same_preparation: false" in str(refused.value)


def test_another_detector_is_refused(prepared):
    prepared.photographs[0]["inputs"][1]["sha256"] = "e"
    with pytest.raises(InputError, match=r'detector\.model\.safetensors is "e" now, and was "d"'):
        prepared.check()


def test_a_range_of_grey_values_that_was_not_stated_is_refused_unless_it_is_null(prepared):
    prepared.photographs[1]["parameters"]["images"] = {"range": None, "page": None}
    prepared.check()
    prepared.photographs[1]["parameters"]["images"] = {"range": [0, 4095], "page": None}
    with pytest.raises(InputError, match=r"images\.range is \[0, 4095\] now, and was null"):
        prepared.check()


def test_one_chunk_of_the_run_that_is_prepared_in_another_way_is_enough(prepared):
    prepared.run.append(copy.deepcopy(CROPPING))
    prepared.run[-1]["outputs"] = []
    prepared.run[-1]["parameters"]["crop"]["rotate"] = True
    with pytest.raises(InputError, match=r"crop\.rotate is false now, and was true"):
        prepared.check()


def test_crops_that_were_made_anew_without_what_follows_are_refused(prepared):
    prepared.run[0]["outputs"][0]["sha256"] = "another"
    with pytest.raises(InputError, match=r"boxes/1\.parquet is newer than what rule crop_chunk made of it"):
        prepared.check()


def test_a_classifier_that_was_trained_on_other_images_is_refused(prepared):
    prepared.data = "other images"
    with pytest.raises(InputError, match="the images of orders are others"):
        prepared.check()
