"""Detectors and annotated wells that are small enough for a unit test."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw
from transformers import DetrConfig, DetrForObjectDetection, ResNetConfig

from bioscan1m.detector.examples import Example
from bioscan1m.detector.model import Detector
from bioscan1m.detector.preprocessing import PreparedImage, Preprocessor
from bioscan1m.detector.settings import FineTuning

PREPROCESSOR = Preprocessor(shortest_side=48, longest_side=64)
FINE_TUNING = FineTuning(
    base="",
    epochs=2,
    batch_size=4,
    learning_rate=1e-3,
    backbone_learning_rate=1e-3,
    weight_decay=1e-4,
    gradient_clip=1.0,
    learning_rate_decay="none",
    train_batch_norm=True,
    flip=False,
    scales=[1.0],
    precision="auto",
    monitor=None,
    seed=1,
    threads=1,
)
SMALL_TRANSFORMER = {
    "num_queries": 3,
    "d_model": 16,
    "encoder_layers": 1,
    "encoder_ffn_dim": 16,
    "encoder_attention_heads": 2,
    "decoder_layers": 1,
    "decoder_ffn_dim": 16,
    "decoder_attention_heads": 2,
}


def small_model(labels: int = 1) -> DetrForObjectDetection:
    """A DETR with few parameters, the same ones each time."""
    torch.manual_seed(0)
    # No fewer than 8 channels: with 4, oneDNN's AVX2 kernel of 1x1 convolutions writes past the gradient (torch 2.14).
    backbone = ResNetConfig(
        embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic", out_features=["stage2"]
    )
    names = {index: f"class {index}" for index in range(labels)}
    config = DetrConfig(
        use_timm_backbone=False,
        backbone_config=backbone,
        dropout=0.0,
        init_std=0.35,  # large enough for boxes that differ from image to image
        id2label=names,
        label2id={name: index for index, name in names.items()},
        **SMALL_TRANSFORMER,
    )
    return DetrForObjectDetection(config).eval()


def small_detector(model: DetrForObjectDetection | None = None) -> Detector:
    """A detector on the CPU."""
    return Detector(model or small_model(), PREPROCESSOR, torch.device("cpu"))


def well(rng: np.random.Generator, size: tuple[int, int] = (64, 48)) -> tuple[Image.Image, np.ndarray]:
    """A bright picture with one dark ellipse, and its box (4,)."""
    image = Image.new("RGB", size, "lightgrey")
    low = rng.uniform(0, 0.5, 2) * size
    high = low + rng.uniform(0.2, 0.5, 2) * size
    box = np.concatenate([low, high]).round()
    ImageDraw.Draw(image).ellipse((box[0], box[1], box[2] - 1, box[3] - 1), fill="black")
    return image, box


def well_jpeg(seed: int, size: tuple[int, int] = (64, 48)) -> bytes:
    """A well as a JPEG file."""
    buffer = io.BytesIO()
    well(np.random.default_rng(seed), size)[0].save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def example(seed: int, size: tuple[int, int] = (64, 48), empty: bool = False) -> Example:
    """A well as the training takes it, in the size of the input."""
    image, box = well(np.random.default_rng(seed), size)
    pixels = np.asarray(image if not empty else Image.new("RGB", size, "lightgrey")).transpose(2, 0, 1)
    boxes = np.empty((0, 4)) if empty else box[None]
    return Example(f"{seed}.jpg", PreparedImage(pixels, *size), boxes)


def write_detector(folder: Path) -> tuple[Path, Path, Path]:
    """Where the three files of a detector go: model, config, preprocessor."""
    return folder / "model.safetensors", folder / "config.json", folder / "preprocessor.json"
