"""Real photographs at 256 pixels are as sharp and as large as ImageMagick makes them, which made the released ones."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from resize_chunk import Resize, resize_image
from workflow_runs import REPOSITORY

FOLDER = os.environ.get("BIOSCAN_REAL_DATA")
COMMANDS = ("magick", "convert-im6.q16", "convert")


def imagemagick() -> str | None:
    """Its command, where it is installed."""
    for command in filter(shutil.which, COMMANDS):
        said = subprocess.run([command, "-version"], capture_output=True, text=True, check=False).stdout
        if said.startswith("Version: ImageMagick"):
            return command
    return None


MAGICK = imagemagick()
pytestmark = [
    pytest.mark.realdata,
    pytest.mark.skipif(FOLDER is None, reason="BIOSCAN_REAL_DATA is not set: no real photographs to resize"),
    pytest.mark.skipif(MAGICK is None, reason="ImageMagick is not installed, with which to compare"),
]


def mean_gradient(data: bytes) -> float:
    """The sharpness of an image."""
    return float(np.hypot(*np.gradient(np.asarray(Image.open(io.BytesIO(data)).convert("L"), float))).mean())


def at_quality(data: bytes, quality: int, share: float) -> bytes:
    """The middle of a photograph, encoded anew."""
    image, file = Image.open(io.BytesIO(data)), io.BytesIO()
    margins = [round(side * (1 - share) / 2) for side in image.size]
    image.crop((*margins, image.width - margins[0], image.height - margins[1])).save(file, "JPEG", quality=quality)
    return file.getvalue()


@pytest.mark.parametrize(("quality", "share"), [(75, 1), (92, 1), (75, 0.3), (96, 0.3)])
def test_images_are_as_sharp_and_as_large_as_those_of_imagemagick(tmp_path: Path, quality: int, share: float) -> None:
    resize = Resize(**yaml.safe_load((REPOSITORY / "config.yaml").read_text())["resize"])
    sharpness, sizes = [], []
    for path in sorted((Path(FOLDER) / "originals").glob("*.jpg")):
        (tmp_path / "in.jpg").write_bytes(source := at_quality(path.read_bytes(), quality, share))
        command = [MAGICK, tmp_path / "in.jpg", "-resize", "x256", "-strip", tmp_path / "out.jpg"]
        subprocess.run(command, check=True)
        theirs, ours = (tmp_path / "out.jpg").read_bytes(), resize_image(source, resize)
        assert Image.open(io.BytesIO(ours)).size == Image.open(tmp_path / "out.jpg").size
        sharpness.append(mean_gradient(ours) / mean_gradient(theirs) - 1)
        sizes.append(len(ours) / len(theirs) - 1)
    assert np.abs(sharpness).max() < 0.02 and abs(np.mean(sharpness)) < 0.005
    assert np.abs(sizes).max() < 0.05
