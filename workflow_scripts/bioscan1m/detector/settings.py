"""How a detector is fine-tuned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class FineTuning:
    """The config's `detector.fine_tuning`, with its names; the files of `base` and `monitor` are inputs of the rule."""

    base: str
    epochs: int
    batch_size: int  # images in a step
    learning_rate: float  # of AdamW, for all but the backbone
    backbone_learning_rate: float  # 0 freezes the backbone
    weight_decay: float
    gradient_clip: float  # largest norm of the gradient
    learning_rate_decay: str  # none or cosine
    train_batch_norm: bool
    flip: bool
    scales: Sequence[float]  # shares of the size of the input, above 0 and at most 1
    precision: str  # auto, float32 or bfloat16
    monitor: str | None
    seed: int
    threads: int  # CPU threads for numerics
