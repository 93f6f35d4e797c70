"""From zip to boxes to crops: the detector and the cropping, on photographs of full size.

The detector is DETR with a ResNet-50 at 800x1066 pixels. Its weights are random: they decide the boxes, not the speed.
The zip holds a few photographs repeatedly.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torchvision.io import decode_jpeg
from transformers import DetrConfig, DetrForObjectDetection, ResNetConfig

from benchmark import naive
from benchmark.harness import Stage, cores, median_seconds
from benchmark.photographs import SIZE, photographs
from bioscan1m.boxes.geometry import Crop, intersection_over_union
from bioscan1m.boxes.table import CORNERS, read_boxes
from bioscan1m.crop.detection import Detection, Machine, detect_chunk
from bioscan1m.crop.rectangles import crop_rectangles, cut_out
from bioscan1m.detector.architecture import CLASS_NAMES
from bioscan1m.detector.model import Detector, load_detector, save_detector
from bioscan1m.detector.preprocessing import Preprocessor
from bioscan1m.foundation.archives import ZipReader, ZipWriter, read_members
from bioscan1m.foundation.images import decode, encode_jpeg
from bioscan1m.foundation.streams import map_in_order
from bioscan1m.networks.device import prepare_device
from crop_chunk import crop_chunk

INSECT = (900, 700, 1900, 1500)  # the rectangle of one, in such a photograph
FULL = {"shortest_side": 800, "longest_side": 1333}
FAST = {"shortest_side": 384, "longest_side": 640}
DETECTION = Detection(image_size=None, precision="auto", score_threshold=0.5, below_threshold="best_box")
CROP = Crop(ratio=1.4, extension="equal", aspect=None, rotate=False, rounding="nearest", pad_value=255, jpeg_quality=75)
ON_GPU = torch.cuda.is_available()
DEVICE = torch.device("cuda" if ON_GPU else "cpu")
IMAGES = 2000 if ON_GPU else 8
NAIVE_IMAGES = 48 if ON_GPU else 8
CROPPED_IMAGES = 57


@dataclass(frozen=True)
class Preset:
    """How a detector is run: size of input, precision, images per pass, passes side by side."""

    image_size: dict[str, int]
    precision: str
    batch_size: int
    passes: int


# What is fastest: on a CPU few images at a time, for its caches; large ones by all cores, small ones by one each.
AT_FULL_SIZE = Preset(FULL, "auto", 16 if ON_GPU else 1, 1)
PRESET_FAST = Preset(FAST, "bfloat16", 16 if ON_GPU else 2, 1 if ON_GPU else cores())


def prepare(folder: Path, share: float = 1) -> None:
    """Write the chunk, or a share of it, and the detector that all variants read."""
    _write_chunk(folder / "chunk.zip", int(IMAGES * share))
    _write_chunk(folder / "naive.zip", int(NAIVE_IMAGES * share))
    _write_chunk(folder / "many.zip", int(CROPPED_IMAGES * share))
    torch.manual_seed(0)
    backbone = ResNetConfig(out_features=["stage4"])
    config = DetrConfig(use_timm_backbone=False, backbone_config=backbone, id2label=CLASS_NAMES, label2id={"insect": 0})
    model = DetrForObjectDetection(config)
    save_detector(model, Preprocessor(**FULL), *_files(folder))
    boxes = folder / "boxes.parquet", folder / "boxes.tsv"
    light = load_detector(*_files(folder), prepare_device(cores(), 0), {"shortest_side": 64, "longest_side": 86})
    _detect(folder / "many.zip", light, Machine(batch_size=8, decoders=cores(), passes=1), *boxes)


def stages() -> list[Stage]:
    """What is timed on this machine."""
    at_full_size = [
        Stage("zip to crops, DETR-R50 800 px", {"ours": crops_full, "reference": crops_naive, "limit": model_full}),
        Stage("zip to boxes, DETR-R50 800 px", BOXES, scales=not ON_GPU),
    ]
    if ON_GPU:
        return at_full_size
    return [
        *at_full_size,
        Stage("zip to crops, fast preset", {"ours": crops_fast, "reference": crops_naive, "limit": model_fast}),
        Stage("crop", CROPPING, scales=True),
    ]


def further(folder: Path) -> dict[str, object]:
    """Where the time of one image goes, in milliseconds on one core, and how our boxes agree with the naive ones."""
    with ZipReader(folder / "chunk.zip") as archive:
        member = archive.members[0]
        data, read = archive.read(member), median_seconds(lambda: archive.read(member))
    detector, fast = _detector(folder, AT_FULL_SIZE), _detector(folder, PRESET_FAST)
    inputs, small = detector.preprocessor.prepare(data).pixels, fast.preprocessor.prepare(data).pixels
    torch.set_num_threads(1)
    image = decode(data)
    piece = cut_out(image, INSECT, 255)
    work: dict[str, Callable[[], object]] = {
        "decode in full": lambda: decode(data),
        "decode at DCT scale, resize to 800 px": lambda: detector.preprocessor.prepare(data),
        "decode at DCT scale, resize to 384 px": lambda: fast.preprocessor.prepare(data),
        "model at 800 px": lambda: detector.predict([inputs]),
        "model at 384 px, bfloat16": lambda: fast.predict([small]),
        "cut out and encode": lambda: encode_jpeg(cut_out(image, INSECT, 255), 75),
        "encode": lambda: encode_jpeg(piece, 75),
    }
    times = {"read and checksum": read} | {name: median_seconds(step) for name, step in work.items()}
    if ON_GPU:
        times["decode in full on the GPU"] = median_seconds(lambda: _decode_on_device([data] * 16)) / 16
    return {
        "milliseconds_on_one_core": {name: round(1000 * seconds, 2) for name, seconds in times.items()},
        "smallest_iou_with_the_naive_boxes": _agreement(folder),
    }


def crops_full(folder: Path) -> Callable[[], int]:
    """Ours, from zip to zip of crops."""
    return _to_crops(folder, AT_FULL_SIZE)


def crops_fast(folder: Path) -> Callable[[], int]:
    """Ours with the fast preset: 0.48 of the sides, bfloat16, a pass per core."""
    return _to_crops(folder, PRESET_FAST)


def crops_naive(folder: Path) -> Callable[[], int]:
    """One image at a time in float32, decoded in full, cropped by Pillow to loose files."""
    model = _bare_model(folder)
    model(_bare_input())

    def work() -> int:
        with tempfile.TemporaryDirectory() as crops:
            return len(naive.crop_images(folder / "naive.zip", model, Path(crops), *FULL.values()))

    return work


def boxes_naive(folder: Path) -> Callable[[], int]:
    """One image at a time in float32, decoded in full."""
    model = _bare_model(folder)
    model(_bare_input())
    return lambda: len(list(naive.find_insects(folder / "naive.zip", model, *FULL.values())))


def boxes_full(folder: Path) -> Callable[[], int]:
    """Ours, from zip to boxes."""
    return _to_boxes(folder, AT_FULL_SIZE)


def model_full(folder: Path) -> Callable[[], int]:
    """Our model step alone, on inputs in memory."""
    return _model_alone(folder, AT_FULL_SIZE)


def model_fast(folder: Path) -> Callable[[], int]:
    """The model step of the fast preset alone."""
    return _model_alone(folder, PRESET_FAST)


BOXES = {"ours": boxes_full, "reference": boxes_naive, "limit": model_full}


def crop_ours(folder: Path) -> Callable[[], int]:
    """Ours, with given boxes."""
    given = folder / "many.zip", folder / "boxes.parquet"
    return lambda: _crop(*given, folder / "crops.zip", folder / "crops.tsv")


def crop_naive(folder: Path) -> Callable[[], int]:
    """Pillow, one image at a time, to loose files."""
    boxes = read_boxes(folder / "boxes.parquet").set_index("image_file")[CORNERS]

    def work() -> int:
        with tempfile.TemporaryDirectory() as crops:
            for member, data in read_members(folder / "many.zip"):
                image = Image.open(io.BytesIO(data)).convert("RGB")
                naive.cut_out(image, boxes.loc[member.image_file].to_numpy()).save(Path(crops) / member.image_file)
        return len(boxes)

    return work


def crop_limit(folder: Path) -> Callable[[], int]:
    """Decoding, cutting and encoding of files in memory, on all cores."""
    rectangles = crop_rectangles(read_boxes(folder / "boxes.parquet"), CROP)
    files = [(rectangles[member.image_file], data) for member, data in read_members(folder / "many.zip")]

    def one(file: tuple[tuple[int, int, int, int], bytes]) -> bytes:
        return encode_jpeg(cut_out(decode(file[1]), file[0], 255), 75)

    return lambda: sum(1 for _ in map_in_order(one, files, cores()))


CROPPING = {"ours": crop_ours, "reference": crop_naive, "limit": crop_limit}


def _to_boxes(folder: Path, preset: Preset, chunk: str = "chunk.zip") -> Callable[[], int]:
    detector = _detector(folder, preset)
    machine = Machine(batch_size=preset.batch_size, decoders=cores(), passes=preset.passes)
    places = folder / "found.parquet", folder / "found.tsv"
    return lambda: _detect(folder / chunk, detector, machine, *places)


def _detect(chunk: Path, detector: Detector, machine: Machine, boxes: Path, quarantine: Path) -> int:
    counts = detect_chunk(
        chunk,
        detector,
        detection=DETECTION,
        machine=machine,
        unreadable_limit=0.0,
        boxes=boxes,
        quarantine=quarantine,
        described={},
    )
    return counts["out"]


def _crop(chunk: Path, boxes: Path, cropped: Path, quarantine: Path) -> int:
    counts = crop_chunk(
        chunk=chunk,
        boxes=boxes,
        cropped=cropped,
        quarantine=quarantine,
        crop=CROP,
        member_folder="part1",
        unreadable_limit=0.0,
        threads=cores(),
    )
    return counts["out"]


def _to_crops(folder: Path, preset: Preset) -> Callable[[], int]:
    detect = _to_boxes(folder, preset)
    given, made = (folder / "chunk.zip", folder / "found.parquet"), (folder / "crops.zip", folder / "crops.tsv")

    def work() -> int:
        detect()
        return _crop(*given, *made)

    return work


def _model_alone(folder: Path, preset: Preset) -> Callable[[], int]:
    detector = _detector(folder, preset)
    with ZipReader(folder / "chunk.zip") as archive:
        inputs = [detector.preprocessor.prepare(archive.read(archive.members[0])).pixels] * preset.batch_size

    def work() -> int:
        with ThreadPoolExecutor(preset.passes) as passes:
            list(passes.map(detector.predict, [inputs] * (IMAGES // preset.batch_size)))
        return IMAGES

    return work


def _decode_on_device(files: list[bytes]) -> None:
    """A batch through torchvision's decoder on the GPU, which knows no DCT scale."""
    decode_jpeg([torch.frombuffer(bytearray(data), dtype=torch.uint8) for data in files], device="cuda")
    torch.cuda.synchronize()


def _agreement(folder: Path) -> float:
    """The smallest IoU of our boxes at full size in float32 with those of the naive way."""
    _to_boxes(folder, replace(AT_FULL_SIZE, precision="float32"), "naive.zip")()
    ours = read_boxes(folder / "found.parquet")[CORNERS].to_numpy()
    with tempfile.TemporaryDirectory() as crops:
        theirs = naive.crop_images(folder / "naive.zip", _bare_model(folder), Path(crops), *FULL.values())
    return round(float(intersection_over_union(ours, theirs).min()), 4)


def _detector(folder: Path, preset: Preset) -> Detector:
    """The detector, warm: its first pass is slower than the others."""
    device = prepare_device(cores() // preset.passes, 0)
    detector = load_detector(*_files(folder), device, preset.image_size, preset.precision)
    width, height = detector.preprocessor.input_size(*SIZE)
    detector.predict([np.zeros((3, height, width), dtype=np.uint8)] * preset.batch_size)
    return detector


def _bare_model(folder: Path) -> torch.nn.Module:
    torch.set_num_threads(cores())
    return DetrForObjectDetection.from_pretrained(folder / "detector").eval().to(DEVICE)


def _bare_input() -> torch.Tensor:
    width, height = Preprocessor(**FULL).input_size(*SIZE)
    return torch.zeros(1, 3, height, width, device=DEVICE)


def _files(folder: Path) -> tuple[Path, Path, Path]:
    names = ("model.safetensors", "config.json", "preprocessor.json")
    return tuple(folder / "detector" / name for name in names)


def _write_chunk(path: Path, images: int) -> None:
    files = photographs()
    with ZipWriter(path) as archive:
        for number in range(images):
            archive.add(f"part1/{number}.jpg", files[number % len(files)])
