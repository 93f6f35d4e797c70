"""The naive ways that the stages are compared with, kept small and readable."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import h5py
import numpy as np
import torch
from PIL import Image
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import Compose, Normalize, RandomCrop, RandomHorizontalFlip, ToTensor
from torchvision.transforms import functional as transforms

from bioscan1m.experiments.classifiers import class_logits

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
RATIO, WHITE = 1.4, (255, 255, 255)


def crop_images(chunk: Path, model: torch.nn.Module, folder: Path, shortest: int, longest: int) -> np.ndarray:
    """One image at a time through the model, as the released tool does: full decode, float32, gradients on.

    Crops are written to `folder` by Pillow. Returns the tight boxes (images, 4) in pixels.
    """
    boxes = []
    for name, image, box in find_insects(chunk, model, shortest, longest):
        cut_out(image, box).save(folder / Path(name).name)
        boxes.append(box)
    return np.array(boxes)


def find_insects(
    chunk: Path, model: torch.nn.Module, shortest: int, longest: int
) -> Iterator[tuple[str, Image.Image, np.ndarray]]:
    """The same without crops: name, image and box of each."""
    with zipfile.ZipFile(chunk) as archive:
        for name in archive.namelist():
            image = Image.open(io.BytesIO(archive.read(name))).convert("RGB")
            yield name, image, find_insect(model, image, shortest, longest)


def find_insect(model: torch.nn.Module, image: Image.Image, shortest: int, longest: int) -> np.ndarray:
    """The box with the highest score, in pixels."""
    scale = min(shortest / min(image.size), longest / max(image.size))
    small = image.resize((int(image.width * scale), int(image.height * scale)), Image.Resampling.BILINEAR)
    device = next(model.parameters()).device
    found = model(transforms.normalize(transforms.to_tensor(small), MEAN, STD)[None].to(device))
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


class PlainImages(Dataset):
    """Images for training as in many a script: the file is opened for each, and pixels are floats from there on."""

    def __init__(self, package: Path, names: Sequence[str], size: int) -> None:
        """`size` is that of the random crop."""
        self._package, self._names = package, names
        self._change = Compose([RandomCrop(size), RandomHorizontalFlip(), ToTensor(), Normalize(MEAN, STD)])

    def __len__(self) -> int:
        return len(self._names)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        with h5py.File(self._package) as file:
            data = file["bioscan_dataset"][self._names[index]][()]
        return self._change(Image.open(io.BytesIO(data)).convert("RGB")), index % 3


def load_images(package: Path, names: Sequence[str], batch: int, size: int, workers: int = 0) -> DataLoader:
    """Shuffled batches of `PlainImages`."""
    return DataLoader(
        PlainImages(package, names, size), batch, shuffle=True, num_workers=workers, persistent_workers=workers > 0
    )


def train(model: torch.nn.Module, batches: DataLoader, device: torch.device) -> int:
    """One epoch in float32, with a look at each loss; the number of its images."""
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9, nesterov=True, weight_decay=1e-4)
    model.train()
    losses = []
    for images, labels in batches:
        optimizer.zero_grad()
        loss = functional.cross_entropy(class_logits(model, images.to(device)), labels.to(device))
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return len(batches.dataset)


def predict(model: torch.nn.Module, batches: DataLoader, device: torch.device) -> int:
    """The most probable classes in float32; the number of images."""
    model.eval()
    with torch.no_grad():
        return sum(len(model(images.to(device)).argmax(1).tolist()) for images, _ in batches)
