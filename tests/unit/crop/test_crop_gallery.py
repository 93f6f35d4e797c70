"""The gallery shows a sample from the least to the most certain box, and an empty chunk is no error."""

from __future__ import annotations

import io

import pandas as pd
import pytest
from PIL import Image
from toy_boxes import with_quality

from bioscan1m.boxes.geometry import Crop
from bioscan1m.boxes.table import CORNERS, write_boxes
from bioscan1m.foundation.archives import ZipWriter
from draw_crops import draw_crops

CROP = Crop(ratio=1.4, extension="equal", aspect=None, rotate=False, rounding="nearest", pad_value=255, jpeg_quality=75)
PHOTOGRAPH = io.BytesIO()
Image.new("RGB", (120, 90), "olive").save(PHOTOGRAPH, "JPEG")


@pytest.mark.parametrize(("images", "drawn"), [(0, 0), (5, 5), (30, 12)])
def test_sample_is_drawn(tmp_path, images, drawn):
    names = [f"{number}.jpg" for number in range(images)]
    with ZipWriter(tmp_path / "chunk.zip") as chunk, ZipWriter(tmp_path / "cropped.zip") as cropped:
        for name in names:
            chunk.add(name, PHOTOGRAPH.getvalue())
            cropped.add(f"part1/{name}", PHOTOGRAPH.getvalue())
    frame = pd.DataFrame({"image_file": names, "width": 120, "height": 90, "score": 0.9, "status": "detected"})
    boxes = frame.assign(**dict(zip(CORNERS, (0, 10, 50, 60), strict=True)))
    write_boxes(tmp_path / "boxes.parquet", with_quality(boxes), {})
    places = [tmp_path / name for name in ("chunk.zip", "boxes.parquet", "cropped.zip", "crops.png")]
    assert draw_crops(*places, CROP) == {
        "in": drawn,
        "out": drawn,
    }
    assert Image.open(tmp_path / "crops.png").width > 1000
