"""Classifiers in a chain: known images are named, a finer classifier is asked for its order alone, others not."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from toy_experiment import HUES, make_trial

from bioscan1m.experiments.evaluation import evaluate_model
from bioscan1m.experiments.predictions import write_predictions
from bioscan1m.experiments.settings import trial_of
from bioscan1m.experiments.trained import write_model
from bioscan1m.experiments.training import train
from bioscan1m.foundation.archives import ZipWriter
from bioscan1m.foundation.atomic import write_json
from bioscan1m.inference.chain import Files, Link, find_taxa, make_chain
from bioscan1m.inference.embeddings import embed, write_embeddings
from bioscan1m.inference.selected_classifier import SelectedClassifier, load_selected
from bioscan1m.networks.training_state import TrainingState
from pack_hdf5 import pack_hdf5

# Two orders of insects by hue, one of which has two families by brightness.
TAXA = {
    "Carabidae": ("Coleoptera", (200, 60, 60)),
    "Phoridae": ("Diptera", (40, 140, 40)),
    "Sciaridae": ("Diptera", (120, 250, 120)),
}
ROLES = ("train", "train", "train", "validation", "test")
IMAGES = 60  # of each family


def picture(hue: tuple[int, int, int], seed: int) -> bytes:
    noise = np.random.default_rng(seed).normal(0, 20, (48, 64, 3))
    buffer = io.BytesIO()
    Image.fromarray(np.clip(np.array(hue) + noise, 0, 255).astype(np.uint8)).save(buffer, "JPEG")
    return buffer.getvalue()


def pack(folder: Path, name: str, images: dict[str, bytes]) -> Path:
    with ZipWriter(folder / f"{name}.zip") as archive:
        for image_file, data in images.items():
            archive.add(image_file, data)
    pack_hdf5([folder / f"{name}.zip"], folder / f"{name}.hdf5", {})
    return folder / f"{name}.hdf5"


def train_experiment(folder: Path, experiment: str, split: pd.DataFrame) -> tuple[SelectedClassifier, Files]:
    """The files of an experiment on the images of the run, as its rules make them."""
    own = folder / experiment
    own.mkdir()
    pq.write_table(pa.Table.from_pandas(split, preserve_index=False), own / "split.parquet")
    trial = make_trial(epochs=6) | {"experiment": experiment}
    trained = train(folder / "run.hdf5", own / "split.parquet", [], trial_of(trial), TrainingState(own / "state", "r"))
    write_model(own / "model.safetensors", trained, {"code": "c", "data": "d"})
    selected = {"backbone": "resnet50", "loss": "ce", "seed": 1}
    write_json(own / "selection.json", {"experiment": experiment, "selected": selected})
    tested = evaluate_model(folder / "run.hdf5", own / "split.parquet", own / "model.safetensors")
    for role, predictions in tested.predictions.items():
        write_predictions(own / f"{role}.parquet", predictions)
    classifier = load_selected(own / "selection.json", [own / "model.safetensors"])
    _, embeddings, _ = embed(classifier.trained, folder / "run.hdf5", split["image_file"])
    write_embeddings(own / "embeddings.parquet", embeddings, split)
    return classifier, Files(*(own / f"{name}.parquet" for name in ("validation", "test", "embeddings")))


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> list[Link]:
    """Classifiers of two orders and of the families of Diptera."""
    folder = tmp_path_factory.mktemp("run")
    names = [(f"{family}{place}.jpg", family, place) for family in TAXA for place in range(IMAGES)]
    pack(folder, "run", {name: picture(TAXA[family][1], place) for name, family, place in names})
    rows = [(name, family, TAXA[family][0], ROLES[place % 5]) for name, family, place in names]
    table = pd.DataFrame(rows, columns=["image_file", "family", "order", "role"])
    ranks = table[["order", "family"]].assign(phylum="Arthropoda", **{"class": "Insecta"})
    ranks.to_parquet(folder / "metadata.parquet")
    orders = table.rename(columns={"order": "label"})[["image_file", "label", "role"]]
    flies = table[table["order"] == "Diptera"].rename(columns={"family": "label"})[["image_file", "label", "role"]]
    made = {"orders": train_experiment(folder, "orders", orders), "flies": train_experiment(folder, "flies", flies)}
    return make_chain(
        classifiers=[classifier for classifier, _ in made.values()],
        labels={"orders": "order", "flies": "family"},
        metadata=folder / "metadata.parquet",
        files={name: files for name, (_, files) in made.items()},
        empty=set(),
        level=0.7,
        false_alarms=0.1,
    )


def test_images_are_named_as_deep_as_their_order_has_a_classifier_and_others_are_unlike(chain, tmp_path):
    images = {
        f"{family}{seed}.jpg": picture(hue, 1000 + seed) for family, (_, hue) in TAXA.items() for seed in range(20)
    }
    images |= {f"blue{seed}.jpg": picture(HUES["Hymenoptera"], seed) for seed in range(20)}
    findings = find_taxa(chain, pack(tmp_path, "new", images | {"broken.jpg": b"no image"}), [*images, "broken.jpg"])
    named = {name: one.identification for name, one in findings.items() if one.identification is not None}
    for family, (order, _) in TAXA.items():
        own = [named[name] for name in images if name.startswith(family) and name in named]
        assert len(own) >= 14  # one in ten is a false alarm
        right = [one for one in own if one.taxon in (order, family)]
        assert len(right) >= 0.7 * len(own)
    flies = [one for name, one in findings.items() if name.startswith(("Phoridae", "Sciaridae"))]
    assert sum(one.identification is not None and one.identification.rank == "family" for one in flies) >= 20
    beetles = [one for name, one in findings.items() if name.startswith("Carabidae")]
    assert all(one.models == ["orders/resnet50_ce/seed1"] for one in beetles)
    unlike = [one for name, one in findings.items() if name.startswith("blue")]
    assert sum(one.identification is None and one.distance > 1 for one in unlike) >= 18
    assert {one.reason for one in unlike if one.identification is None} == {"unlike the training images of orders"}
    broken = findings["broken.jpg"]
    assert broken.identification is None and broken.distance is None and "not an image" in broken.reason


def test_no_images_are_no_findings(chain, tmp_path):
    assert find_taxa(chain, tmp_path / "never read", []) == {}
