"""Where one image comes from and where it went: every step of it, from what the files and records of a run say.

Each table and package is read for this image alone, and of the zips the directory of one chunk, so that a trace takes a
second in a run of a million images. What a run does not have, because its chunks were temporary or it began with
published packages, is left out.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from bioscan1m.crop.cropping import rectangle_of
from bioscan1m.detector.boxes_table import CORNERS, UNREADABLE, read_settings
from bioscan1m.errors import InputError
from bioscan1m.images import image_size
from bioscan1m.package.packages import ImagePackage
from bioscan1m.plan.plan import PACKAGES
from bioscan1m.provenance.audit import read_evidence
from bioscan1m.provenance.lineage import sources_behind
from bioscan1m.provenance.records import Record, by_output
from bioscan1m.provenance.role_reasons import explain_roles
from bioscan1m.quarantine import read_rows

METADATA = "results/metadata/BIOSCAN_Insect_Dataset_metadata.parquet"
BOXES = "results/boxes/part{chunk}.parquet"
CHUNK = "data/chunks/bioscan_images_original_full_part{chunk}.zip"
CROPPED = "results/cropped/bioscan_images_cropped_full_part{chunk}.zip"
NOT_SHOWN = ("nucraw",)  # 650 letters


def trace_image(run: str | Path, image_file: str) -> dict[str, Any]:
    """All that a run knows of an image, in the order of its way through the run.

    Raises InputError where the folder is no run, or has no such image; the message names those that are called nearly
    the same.
    """
    run = Path(run)
    if not (run / "results").is_dir():
        raise InputError(f"{run}: no folder results in it, so it is no run")
    evidence = read_evidence(run)
    made = by_output(evidence.records)
    row = find_row(run / METADATA, image_file)
    chunk = _chunk(run, image_file, row)
    packages = list(_packages(run, image_file, made))
    if row is None and chunk is None and not packages:
        raise InputError(f"{run}: no image {image_file}; nearly so: {', '.join(_near(run, image_file)) or 'none'}")
    roles = explain_roles(run, row, made) if row else []
    trace = {"image_file": image_file, "chunk": chunk}
    if chunk is not None:
        source = CHUNK.format(chunk=chunk)
        fetched = sources_behind([made[source][0]] if source in made else [], evidence.ledger)
        trace["original"] = {**_member(run, source, image_file), **(fetched[0] if fetched else {})}
        trace["box"] = _box(run, chunk, image_file, evidence.records)
        trace["crop"] = _crop(run, chunk, trace["box"], made)
        trace["quarantine"] = _quarantine(run, chunk, image_file)
    trace |= {"packages": packages, "row": row, "roles": roles}
    trace["trained_on_it"] = _models({role["experiment"] for role in roles if role["role"] == "train"}, made)
    trace["predictions"] = list(_predictions(run, image_file, made))
    return trace


def find_row(path: Path, image_file: str) -> dict[str, Any] | None:
    """The row of an image in a Parquet table with a column image_file; None where it has none or there is no table.

    Of the other columns one row group is read. Raises InputError where the file is damaged.
    """
    if not path.is_file():
        return None
    try:
        table = pq.ParquetFile(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise InputError(f"{path}: not a readable Parquet table ({error}); the audit says more") from None
    columns = [name for name in table.schema_arrow.names if name not in NOT_SHOWN]
    for group in range(table.num_row_groups):
        (column,) = table.read_row_group(group, ["image_file"]).columns
        names = column.to_pylist()  # a search by pyarrow would load pandas
        if image_file in names:
            return table.read_row_group(group, columns).slice(names.index(image_file), 1).to_pylist()[0]
    return None


def _chunk(run: Path, image_file: str, row: dict[str, Any] | None) -> str | None:
    """The chunk that holds the image: that of its row, if the boxes table agrees, else the one whose table has it."""
    chunks = [path.stem.removeprefix("part") for path in sorted((run / "results/boxes").glob("part*.parquet"))]
    if row and row["chunk_number"] in chunks:
        chunks = [row["chunk_number"], *(chunk for chunk in chunks if chunk != row["chunk_number"])]
    return next((chunk for chunk in chunks if find_row(run / BOXES.format(chunk=chunk), image_file)), None)


def _member(run: Path, path: str, image_file: str) -> dict[str, Any]:
    """The image in a zip: member, CRC-32 and bytes; only the path where the zip is gone."""
    if not (run / path).is_file():
        return {"path": path, "state": "not there any more"}
    try:
        with zipfile.ZipFile(run / path) as archive:
            names = (info for info in archive.infolist() if info.filename.rpartition("/")[2] == image_file)
            member = next(names, None)
    except (zipfile.BadZipFile, OSError) as error:
        raise InputError(f"{run / path}: not a readable zip file ({error}); the audit says more") from None
    if member is None:
        return {"path": path, "state": "not in it"}
    return {"path": path, "member": member.filename, "crc32": f"{member.CRC:08x}", "member_bytes": member.file_size}


def _box(run: Path, chunk: str, image_file: str, records: list[Record]) -> dict[str, Any]:
    """The row of the boxes table, and which detector found the box, made by which job of what."""
    path = run / BOXES.format(chunk=chunk)
    model = read_settings(path).get("model")
    makers = [(record, file) for record in records for file in record.outputs if file["sha256"] == model]
    detector = {"detector_sha256": model}
    if makers:
        maker, file = makers[0]
        detector |= {"detector": file["path"], "detector_made_by": maker.rule}
        detector |= {"detector_made_from": [source["path"] for source in maker.inputs]}
    return {**find_row(path, image_file), **detector}


def _crop(run: Path, chunk: str, box: dict[str, Any], made: dict[str, tuple[Record, dict[str, Any]]]) -> dict[str, Any]:
    """The rectangle that was cut out (x_min, y_min, x_max, y_max in pixels of the original), and the crop's file."""
    path = CROPPED.format(chunk=chunk)
    if path not in made:
        return {}
    crop = made[path][0].parameters["crop"]
    has_box = box["status"] != UNREADABLE and None not in (box[corner] for corner in CORNERS)
    rectangle = rectangle_of(box, crop) if has_box else None
    return {"rectangle": rectangle, **crop, **_member(run, path, box["image_file"])}


def _packages(run: Path, image_file: str, made: dict[str, tuple[Record, dict[str, Any]]]) -> Iterator[dict[str, Any]]:
    """The image in each package: width, height, bytes and their SHA-256."""
    for package in PACKAGES:
        path = f"results/packages/{package}.hdf5"
        images = ImagePackage(run / path)
        if not images.path.is_file():
            continue
        try:
            data = images.get(image_file)
        except (RuntimeError, OSError, KeyError) as error:  # what HDF5 raises on a damaged file
            raise InputError(f"{images.path}: not a readable package ({error}); the audit says more") from None
        if data is None:
            continue
        width, height = image_size(data)
        digest = hashlib.sha256(data).hexdigest()
        maker = made[path][0].rule if path in made else None
        yield {"path": path, "width": width, "height": height, "bytes": len(data), "sha256": digest, "made_by": maker}


def _quarantine(run: Path, chunk: str, image_file: str) -> list[dict[str, str]]:
    """Where the image was lost, and why."""
    path = run / f"results/quarantine/part{chunk}.tsv"
    rows = read_rows(path) if path.is_file() else []
    return [{"stage": stage, "reason": reason} for name, stage, reason in rows if name == image_file]


def _models(experiments: set[str], made: dict[str, tuple[Record, dict[str, Any]]]) -> list[dict[str, str]]:
    """The models that saw the image in training: those whose job read the split of one of these experiments."""
    splits = {f"results/splits/{experiment}.parquet" for experiment in experiments}
    return [
        {"model": path, "sha256": file["sha256"], "made_by": record.rule}
        for path, (record, file) in sorted(made.items())
        if path.endswith(".safetensors") and any(source["path"] in splits for source in record.inputs)
    ]


def _predictions(
    run: Path, image_file: str, made: dict[str, tuple[Record, dict[str, Any]]]
) -> Iterator[dict[str, Any]]:
    """What the tested classifiers said of the image, with the probability that they gave to their answer."""
    for path in sorted(made):
        row = find_row(run / path, image_file) if path.endswith("predictions.parquet") else None
        if row and "logits" in row:
            logits = np.array(row["logits"], float)
            probability = float(1 / np.exp(logits - logits.max()).sum())
            answer = {"truth": row["truth"], "prediction": row["prediction"]}
            yield {"path": path, **_trial(run / path), **answer, "probability": round(probability, 4)}


def _trial(predictions: Path) -> dict[str, Any]:
    """Which trained network predicted: of test.json beside the predictions."""
    test = predictions.with_name("test.json")
    try:
        said = json.loads(test.read_bytes()) if test.is_file() else {}
    except ValueError as error:
        raise InputError(f"{test}: not readable ({error}); the audit says more") from None
    return {key: said[key] for key in ("backbone", "loss", "seed") if key in said}


def _near(run: Path, image_file: str) -> list[str]:
    """Up to three images of the metadata that are called nearly as this one."""
    if not (run / METADATA).is_file():
        return []
    names = pq.read_table(run / METADATA, columns=["image_file"])["image_file"]
    for length in range(len(image_file) - 1, 2, -1):
        alike = names.filter(pc.starts_with(names, image_file[:length]))
        if len(alike):
            return difflib.get_close_matches(image_file, alike.slice(0, 2000).to_pylist(), 3, 0.5)
    return []
