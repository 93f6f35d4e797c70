"""The naive ways that the stages are compared with, kept small and readable."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torchvision.transforms import functional as transforms

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
RATIO, WHITE = 1.4, (255, 255, 255)


def crop_images(chunk: Path, model: torch.nn.Module, folder: Path, shortest: int, longest: int) -> np.ndarray:
    """One image at a time through the model, as the released tool does: full decode, float32, gradients on.

    Crops are written to `folder` by Pillow. Returns the tight boxes (images, 4) in pixels.
    """
    boxes = []
    with zipfile.ZipFile(chunk) as archive:
        for name in archive.namelist():
            image = Image.open(io.BytesIO(archive.read(name))).convert("RGB")
            box = find_insect(model, image, shortest, longest)
            cut_out(image, box).save(folder / Path(name).name)
            boxes.append(box)
    return np.array(boxes)


def find_insect(model: torch.nn.Module, image: Image.Image, shortest: int, longest: int) -> np.ndarray:
    """The box with the highest score, in pixels."""
    scale = min(shortest / min(image.size), longest / max(image.size))
    small = image.resize((int(image.width * scale), int(image.height * scale)), Image.Resampling.BILINEAR)
    found = model(transforms.normalize(transforms.to_tensor(small), MEAN, STD)[None])
    scores = found.logits.softmax(-1)[0, :, :-1].max(-1).values
    x, y, width, height = found.pred_boxes[0, scores.argmax()].tolist()
    corners = np.array([x - width / 2, y - height / 2, x + width / 2, y + height / 2])
    return corners.clip(0, 1) * [*image.size, *image.size]


def cut_out(image: Image.Image, box: np.ndarray) -> Image.Image:
    """The extended box; white beyond the edge of the image."""
    x_min, y_min, x_max, y_max = box
    margin = (RATIO - 1) * max(x_max - x_min, y_max - y_min) / 2
    left, top, right, bottom = (
        round(value) for value in (x_min - margin, y_min - margin, x_max + margin, y_max + margin)
    )
    canvas = Image.new("RGB", (right - left, bottom - top), WHITE)
    canvas.paste(image, (-left, -top))
    return canvas
