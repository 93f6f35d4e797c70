"""Embeddings are what the last layer sees, of every image that can be read, and near for images that look alike."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch
from toy_experiment import RESNET, VIT, make_package, make_trial

from bioscan1m.experiments.classifiers import build_classifier, head_layer
from bioscan1m.experiments.settings import Backbone, settings_of
from bioscan1m.experiments.trained import describe_recipe
from bioscan1m.experiments.trained_classifier import TrainedClassifier
from bioscan1m.inference.embeddings import Embeddings, embed, nearest, show_nearest, write_embeddings
from bioscan1m.networks.channels import CHANNELS_BEFORE
from bioscan1m.package.images import ImagePackage

CLASSES = ["Coleoptera", "Diptera", "Hymenoptera"]
SQUEEZENET = {"library": "torchvision", "name": "squeezenet1_1", "settings": {}}


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, pd.DataFrame]:
    """A package of coloured images, the first of them damaged, and its split."""
    package, split = make_package(tmp_path_factory.mktemp("toy"), damaged=1)
    return package, pd.read_parquet(split)


def classifier(backbone: dict) -> TrainedClassifier:
    torch.manual_seed(1)
    recipe = describe_recipe(CLASSES, make_trial(), backbone, CHANNELS_BEFORE)
    return TrainedClassifier(recipe, build_classifier(settings_of(Backbone, backbone), 3, 32))


def test_the_head_makes_the_logits_out_of_the_embeddings(toy):
    package, split = toy
    seen = classifier(RESNET)
    predictions, embeddings, skipped = embed(seen, package, split["image_file"])
    assert predictions.image_files == embeddings.image_files == split["image_file"].tolist()[1:] and len(skipped) == 1
    logits = head_layer(seen.model)(torch.from_numpy(embeddings.vectors))
    assert np.allclose(logits.detach().numpy(), predictions.logits, atol=1e-5)


@pytest.mark.parametrize(("backbone", "length"), [(VIT, 16), (SQUEEZENET, 512)])
def test_other_networks_have_one_vector_per_image_too(toy, backbone, length):
    package, split = toy
    _, embeddings, _ = embed(classifier(backbone), package, split["image_file"][:20])
    assert embeddings.vectors.shape == (19, length) and embeddings.vectors.dtype == np.float32


def test_nearest_are_those_of_the_smallest_angle_whatever_their_length():
    vectors = np.array([[1, 0], [0, 5], [9, 1], [-1, 0], [0, 0]], np.float32)
    places, cosines = nearest(vectors, np.array([2, 0], np.float32), 3)
    assert places.tolist()[:2] == [0, 2]
    assert cosines[0] == pytest.approx(1) and cosines[1] == pytest.approx(9 / np.sqrt(82))


def test_the_table_has_role_and_label_and_the_figure_a_row_per_class(toy, tmp_path):
    package, split = toy
    names = split["image_file"].tolist()[1:]
    hues = dict(zip(CLASSES, np.eye(3, dtype=np.float32), strict=True))
    embeddings = Embeddings(names, np.stack([hues[label] for label in split["label"][1:]]))
    write_embeddings(tmp_path / "embeddings.parquet", embeddings, split)
    table = pq.read_table(tmp_path / "embeddings.parquet").to_pandas()
    columns = ["image_file", "label", "role"]
    assert table[columns].equals(split[columns][1:].reset_index(drop=True))
    assert np.array_equal(np.stack(table["embedding"]), embeddings.vectors)
    figure = show_nearest(embeddings, split, ImagePackage(package))
    assert [row.get_suptitle() for row in figure.subfigs] == ["Diptera", "Coleoptera", "Hymenoptera"]
    for row in figure.subfigs:  # each class has six training images or more
        assert {axes.get_title().partition("\n")[2] for axes in row.axes[1:7]} == {f"{row.get_suptitle()}\n1.000"}
