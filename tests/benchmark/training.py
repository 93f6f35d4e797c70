"""The classifiers: their input alone, a step of training with it, and a test, for ResNet-50 at 224 pixels.

On a CPU all cores compute, on a GPU they decode, and ViT-B/16 is trained too. Images are resized photographs; weights
are random.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
import yaml
from PIL import Image

from benchmark import naive
from benchmark.harness import Prepare, Stage, cores
from benchmark.photographs import photographs
from bioscan1m.experiments import training_data
from bioscan1m.experiments.batches import Batch, Batches
from bioscan1m.experiments.classifiers import build_classifier, describe_model
from bioscan1m.experiments.cuda_graphs import Computation
from bioscan1m.experiments.passes import BatchLogits
from bioscan1m.experiments.settings import Backbone, BatchSettings, settings_of
from bioscan1m.experiments.settings import trial_of as settings_of_trial
from bioscan1m.experiments.trained import describe_recipe
from bioscan1m.experiments.trained_classifier import TrainedClassifier, load_trained
from bioscan1m.experiments.training import Trainer
from bioscan1m.experiments.training_data import LabelledImages, crop_and_flip
from bioscan1m.foundation.archives import ZipReader, ZipWriter, read_members
from bioscan1m.foundation.progress import Progress
from bioscan1m.networks.channels import CHANNELS_BEFORE
from bioscan1m.networks.training_state import TrainingState
from bioscan1m.networks.weights import write_weights
from pack_hdf5 import pack_hdf5
from resize_chunk import Resize, resize_image

CONFIG = yaml.safe_load((Path(__file__).parents[2] / "config.yaml").read_text(encoding="utf-8"))["classifier"]
ON_GPU = torch.cuda.is_available()
DEVICE = torch.device("cuda" if ON_GPU else "cpu")
DECODED_IMAGES = 16_000 if ON_GPU else 4_000
SEEN_IMAGES = 6_400 if ON_GPU else 32  # of a training and of a test
NAIVELY_SEEN_IMAGES = 960 if ON_GPU else 32
WARM_UP_IMAGES = 320 if ON_GPU else 32
CLASSES = ["Coleoptera", "Diptera", "Hymenoptera"]
TRAINING = CONFIG["training"] | {"threads": cores(), "workers": max(1, cores() - 1) if ON_GPU else 1}
BATCH, CROP = TRAINING["batch_size"], TRAINING["crop"]


def trial_of(backbone: str) -> dict[str, Any]:
    """A trial of the config's, by this benchmark's number of workers."""
    return {
        "experiment": "benchmark",
        "backbone": backbone,
        "loss": "ce",
        "seed": 1,
        "backbone_settings": CONFIG["backbones"][backbone],
        "loss_settings": CONFIG["losses"]["ce"],
        "training": TRAINING,
    }


TRIAL = trial_of("resnet50")


def prepare(folder: Path, share: float = 1) -> None:
    """Write the package, or a share of it, a split of it, and a model."""
    resize = Resize(
        pixels=TRAINING["short_side"], side="shorter", filter="lanczos", jpeg_quality="keep", jpeg_quality_of_others=92
    )
    files = [resize_image(data, resize) for data in photographs()]
    names = [f"{number:06}.jpg" for number in range(int(DECODED_IMAGES * share))]
    with ZipWriter(folder / "shard.zip") as archive:
        for number, name in enumerate(names):
            archive.add(name, files[number % len(files)])
    pack_hdf5([folder / "shard.zip"], folder / "package.hdf5", {})
    roles = ["train"] * SEEN_IMAGES + ["validation", "test"]
    labels = [CLASSES[number % len(CLASSES)] for number in range(len(roles))]
    columns = {"image_file": names[: len(roles)], "label": labels, "role": roles}
    pq.write_table(pa.table(columns), folder / "split.parquet")
    backbone = settings_of(Backbone, TRIAL["backbone_settings"])
    model = build_classifier(backbone, len(CLASSES), CROP)
    recipe = describe_recipe(CLASSES, TRIAL, describe_model(backbone, model), CHANNELS_BEFORE)
    write_weights(folder / "model.safetensors", model.state_dict(), recipe)


def stages() -> list[Stage]:
    """What is timed."""
    stages = [
        Stage("input of training", INPUT, scales=not ON_GPU),
        Stage("train ResNet-50", training_of("resnet50")),
        Stage("test ResNet-50", {"ours": test_ours, "reference": test_naive, "limit": test_limit}),
    ]
    if ON_GPU:
        stages.insert(2, Stage("train ViT-B/16", training_of("vit_b_16")))
    return stages


def training_of(backbone: str) -> dict[str, Prepare]:
    """The variants of its training."""
    variants = {"ours": train_ours, "reference": train_naive, "limit": train_limit}
    return {name: partial(variant, trial_of(backbone)) for name, variant in variants.items()}


def further(folder: Path) -> dict[str, object]:
    """Where it ran, and how often a test decodes an image."""
    return {
        "device": torch.cuda.get_device_name() if ON_GPU else "CPU; no GPU here, so that bfloat16 was left out",
        "image_bytes": (folder / "shard.zip").stat().st_size // DECODED_IMAGES,
        "decodes_per_tested_image": decodes_per_image(folder),
    }


def input_ours(folder: Path) -> Callable[[], int]:
    """Ours, by as many workers as there are cores, after a pass that starts them."""
    of_package = images(packed_images(folder))
    settings = settings_of(BatchSettings, TRAINING | {"workers": cores()})
    batches = Batches(folder / "package.hdf5", of_package, settings, seed=1)
    return after_warm_up(lambda: sum(len(batch.labels) for batch in batches))


def input_naive(folder: Path) -> Callable[[], int]:
    """The plain data set, which opens the package for each image, by as many workers."""
    batches = naive.load_images(
        folder / "package.hdf5", images(packed_images(folder)).image_files, BATCH, CROP, cores()
    )
    return after_warm_up(lambda: sum(len(labels) for _, labels in batches))


def input_limit(folder: Path) -> Callable[[], int]:
    """Decoding and cropping of files in memory, by as many processes."""
    files = [data for _, data in read_members(folder / "shard.zip")]
    shares = [len(range(first, len(files), cores())) for first in range(cores())]
    pool = get_context("fork").Pool(cores(), initializer=FILES.extend, initargs=(files,))
    return after_warm_up(lambda: sum(pool.map(decode_and_crop, shares, chunksize=1)))


INPUT = {"ours": input_ours, "reference": input_naive, "limit": input_limit}
FILES: list[bytes] = []  # of a process of the pool


def decode_and_crop(count: int) -> int:
    """So many images, one after the other."""
    where = np.random.default_rng(0).random((count, 3)).tolist()
    for number in range(count):
        image = Image.open(io.BytesIO(FILES[number % len(FILES)]))
        np.asarray(crop_and_flip(image, CROP, *where[number]))
    return count


class EpochTrainer(Trainer):
    """One epoch at a time, without validation."""

    def __init__(self, *arguments: Any) -> None:
        """As the trainer's, and ready to train."""
        super().__init__(*arguments)
        self._step.capture()

    def epoch(self, number: int) -> int:
        """Train one; the number of its images."""
        self._progress = Progress("training", len(self._images["train"]))
        self._train_epoch(number, TRAINING["learning_rate"])
        return len(self._images["train"])

    def on_synthetic_batches(self, count: int) -> EpochTrainer:
        """The same steps, on batches that lie on the device."""
        self._train_batches = SyntheticBatches(count)
        return self


class SyntheticBatches:
    """One batch again and again, in place of a data loader."""

    def __init__(self, count: int) -> None:
        """So many images in all."""
        self.order = SimpleNamespace(epoch=0)
        self._steps = count // BATCH
        self._batch = synthetic_batch()

    def __iter__(self) -> Iterator[Batch]:
        return iter([self._batch] * self._steps)


def synthetic_batch() -> Batch:
    """Noise, on the device."""
    pixels = torch.randint(0, 256, (BATCH, CROP, CROP, 3), dtype=torch.uint8, device=DEVICE)
    return Batch(pixels, np.arange(BATCH) % len(CLASSES), np.arange(BATCH), [])


def train_ours(trial: dict[str, Any], folder: Path) -> Callable[[], int]:
    """Ours, from the package, after an epoch that starts the workers."""
    trainer = trainer_of(trial, folder)
    return after_warm_up(lambda: trainer.epoch(2))


def train_limit(trial: dict[str, Any], folder: Path) -> Callable[[], int]:
    """The same steps on a batch that lies on the device."""
    trainer = trainer_of(trial, folder).on_synthetic_batches(SEEN_IMAGES)
    return after_warm_up(lambda: trainer.epoch(2))


def trainer_of(trial: dict[str, Any], folder: Path) -> EpochTrainer:
    """A new one."""
    state = TrainingState(folder / "none", "")
    return EpochTrainer(folder / "package.hdf5", folder / "split.parquet", [], settings_of_trial(trial), state)


def train_naive(trial: dict[str, Any], folder: Path) -> Callable[[], int]:
    """The plain loop in float32, which opens the package for each image."""
    batches = naive.load_images(folder / "package.hdf5", images(NAIVELY_SEEN_IMAGES).image_files, BATCH, CROP)
    few = naive.load_images(folder / "package.hdf5", images(WARM_UP_IMAGES).image_files, BATCH, CROP)
    model = build_classifier(settings_of(Backbone, trial["backbone_settings"]), len(CLASSES), CROP).to(DEVICE)
    torch.set_num_threads(cores())
    naive.train(model, few, DEVICE)
    return lambda: naive.train(model, batches, DEVICE)


def test_ours(folder: Path) -> Callable[[], int]:
    """Ours, from the package."""
    classifier = load_trained(folder / "model.safetensors")
    look(classifier, folder, WARM_UP_IMAGES)
    return lambda: look(classifier, folder, SEEN_IMAGES)


def test_naive(folder: Path) -> Callable[[], int]:
    """The plain loop in float32, which opens the package for each image."""
    batches = naive.load_images(folder / "package.hdf5", images(NAIVELY_SEEN_IMAGES).image_files, BATCH, CROP)
    few = naive.load_images(folder / "package.hdf5", images(WARM_UP_IMAGES).image_files, BATCH, CROP)
    model = load_trained(folder / "model.safetensors").model.to(memory_format=torch.contiguous_format)
    naive.predict(model, few, DEVICE)
    return lambda: naive.predict(model, batches, DEVICE)


def test_limit(folder: Path) -> Callable[[], int]:
    """The model alone, on a batch that lies on the device."""
    model, images = load_trained(folder / "model.safetensors").model, synthetic_batch().images
    with torch.no_grad():
        compute = Computation(BatchLogits(model, CHANNELS_BEFORE, TRAINING["precision"]).eval(), images.shape)

    @torch.no_grad()
    def work(count: int = SEEN_IMAGES) -> int:
        for _ in range(count // BATCH):
            logits = compute(images)
        logits.cpu()
        return count

    work(WARM_UP_IMAGES)
    return work


def decodes_per_image(folder: Path) -> float:
    """By a test whose images this process decodes."""
    classifier = load_trained(folder / "model.safetensors")
    classifier.recipe["trial"]["training"]["workers"] = 0
    with patch.object(training_data, "decode", wraps=training_data.decode) as decode:
        look(classifier, folder, WARM_UP_IMAGES)
    return decode.call_count / WARM_UP_IMAGES


def look(classifier: TrainedClassifier, folder: Path, count: int) -> int:
    """Predict so many images of the package."""
    predictions, _ = classifier.look_at(folder / "package.hdf5", images(count).image_files)
    return len(predictions.truth)


def images(count: int) -> LabelledImages:
    """The first images of the package."""
    return LabelledImages([f"{number:06}.jpg" for number in range(count)], np.arange(count) % len(CLASSES))


def packed_images(folder: Path) -> int:
    """How many the package has."""
    with ZipReader(folder / "shard.zip") as shard:
        return len(shard.members)


def after_warm_up(work: Callable[[], int]) -> Callable[[], int]:
    """The work, once it has been done."""
    work()
    return work
