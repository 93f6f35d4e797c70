"""The way of one image through a run, step by step, from the files and records of the run.

Only the rows of this image are read from each table and package, and of the zips the directory of one chunk, so that a
trace takes a second in a run of a million images. Steps without files are left out, as where chunks were temporary or
the run began with published packages.
"""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from bioscan1m.audit.evidence import read_evidence
from bioscan1m.audit.lineage import sources_behind
from bioscan1m.audit.role_reasons import explain_roles
from bioscan1m.boxes.geometry import Crop
from bioscan1m.boxes.table import CORNERS, UNREADABLE, read_settings
from bioscan1m.crop.rectangles import rectangle_of
from bioscan1m.foundation.archives import ZipReader
from bioscan1m.foundation.errors import InputError
from bioscan1m.foundation.image_keys import clean_path, flatten_path
from bioscan1m.foundation.images import image_size
from bioscan1m.foundation.quarantine import read_quarantine
from bioscan1m.jobs.acceptance import Accepted, acceptances_of
from bioscan1m.jobs.records import Made, Record, by_output
from bioscan1m.package.images import ImagePackage
from bioscan1m.plan.run import PACKAGES

METADATA = "results/metadata/BIOSCAN_Insect_Dataset_metadata.parquet"
BOXES = "results/boxes/part{chunk}.parquet"
CHUNK = "data/chunks/bioscan_images_original_full_part{chunk}.zip"
CROPPED = "results/cropped/bioscan_images_cropped_full_part{chunk}.zip"
NOT_SHOWN = ("nucraw",)  # 650 letters


def trace_image(run: str | Path, image_file: str) -> dict[str, Any]:
    """All files of a run that concern an image, in the order of its way through the run.

    The image is named by its key or by its path. Raises InputError where the folder is no run or has no such image; the
    message lists similar names.
    """
    run = Path(run)
    if (text := image_file.encode("utf-8", "replace").decode()) != image_file:
        raise InputError(f"{run}: no image {text}; it is no text in UTF-8")
    if "/" in image_file:
        image_file = flatten_path(clean_path(image_file))
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
    trace: dict[str, Any] = {"image_file": image_file, "chunk": chunk}
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
    trace["accepted"] = _accepted([METADATA, BOXES.format(chunk=chunk), *_paths(trace)], made, evidence.ledger.accepted)
    return trace


def _paths(part: Any) -> Iterator[str]:
    """The files that a part of a trace names."""
    if isinstance(part, dict):
        yield from (part[key] for key in ("path", "model", "detector") if isinstance(part.get(key), str))
    for value in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        yield from _paths(value)


def _accepted(paths: Iterable[str], made: Made, accepted: Accepted) -> list[dict[str, str]]:
    """The acceptances of results of earlier code that concern the files: rule, who, when and why."""
    jobs = {(made[path][0].rule, made[path][0].content["code"]) for path in paths if path in made}
    found = [(rule, code, *one) for rule, code in sorted(jobs) for one in acceptances_of(rule, code, accepted)]
    return [
        {"rule": rule, "made_by": code, "accepted_for": after, "who": by.who, "when": by.when, "why": by.why}
        for rule, code, after, by in found
    ]


def find_row(path: Path, image_file: str) -> dict[str, Any] | None:
    """The row of an image in a Parquet table with a column image_file; None without such a row or table.

    One row group is read of the other columns. Raises InputError where the file is damaged.
    """
    if not path.is_file():
        return None
    try:
        table = pq.ParquetFile(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise InputError(f"{path}: not a readable Parquet table ({error}); the audit has the reason") from None
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
    """The image in a zip: path, member, CRC-32 and bytes; path and state where zip or member are gone."""
    if not (run / path).is_file():
        return {"path": path, "state": "not there any more"}
    with ZipReader(run / path) as archive:
        member = next((member for member in archive.members if member.image_file == image_file), None)
        if member is None:
            return {"path": path, "state": "not in it"}
        crc32, size = archive.checksum_and_size(member)
    return {"path": path, "member": member.name, "crc32": f"{crc32:08x}", "member_bytes": size}


def _box(run: Path, chunk: str, image_file: str, records: list[Record]) -> dict[str, Any]:
    """The row of the boxes table, with the detector that found the box, the job that made it and its inputs."""
    path = run / BOXES.format(chunk=chunk)
    model = read_settings(path).get("model")
    makers = [(record, file) for record in records for file in record.outputs if file["sha256"] == model]
    detector: dict[str, Any] = {"detector_sha256": model}
    if makers:
        maker, file = makers[0]
        detector |= {"detector": file["path"], "detector_made_by": maker.rule}
        detector |= {"detector_made_from": [source["path"] for source in maker.inputs]}
    return (find_row(path, image_file) or {}) | detector


def _crop(run: Path, chunk: str, box: dict[str, Any], made: Made) -> dict[str, Any]:
    """The rectangle that was cut out (x_min, y_min, x_max, y_max in pixels of the original), and the crop's file."""
    path = CROPPED.format(chunk=chunk)
    if path not in made:
        return {}
    crop = made[path][0].parameters["crop"]
    has_box = box["status"] != UNREADABLE and None not in (box[corner] for corner in CORNERS)
    rectangle = rectangle_of(box, Crop.recorded(crop)) if has_box else None
    return {"rectangle": rectangle, **crop, **_member(run, path, box["image_file"])}


def _packages(run: Path, image_file: str, made: Made) -> Iterator[dict[str, Any]]:
    """The image in each package: width, height, bytes and their SHA-256."""
    for package in PACKAGES:
        path = f"results/packages/{package}.hdf5"
        images = ImagePackage(run / path)
        if not images.path.is_file():
            continue
        data = images.get(image_file)
        if data is None:
            continue
        width, height = image_size(data)
        digest = hashlib.sha256(data).hexdigest()
        maker = made[path][0].rule if path in made else None
        yield {"path": path, "width": width, "height": height, "bytes": len(data), "sha256": digest, "made_by": maker}


def _quarantine(run: Path, chunk: str, image_file: str) -> list[dict[str, str]]:
    """Where the image was lost, and why."""
    path = run / f"results/quarantine/part{chunk}.tsv"
    rows = read_quarantine(path) if path.is_file() else []
    return [{"stage": stage, "reason": reason} for name, stage, reason in rows if name == image_file]


def _models(experiments: set[str], made: Made) -> list[dict[str, str]]:
    """The models that saw the image in training: those whose job read the split of one of these experiments."""
    splits = {f"results/splits/{experiment}.parquet" for experiment in experiments}
    return [
        {"model": path, "sha256": file["sha256"], "made_by": record.rule}
        for path, (record, file) in sorted(made.items())
        if path.endswith(".safetensors") and any(source["path"] in splits for source in record.inputs)
    ]


def _predictions(run: Path, image_file: str, made: Made) -> Iterator[dict[str, Any]]:
    """The predictions of the tested classifiers for the image, with the probability of the predicted class."""
    for path in sorted(made):
        row = find_row(run / path, image_file) if path.endswith("predictions.parquet") else None
        if row and "logits" in row:
            logits = np.array(row["logits"], float)
            probability = float(1 / np.exp(logits - logits.max()).sum())
            answer = {"truth": row["truth"], "prediction": row["prediction"]}
            yield {"path": path, **_trial(run / path), **answer, "probability": round(probability, 4)}


def _trial(predictions: Path) -> dict[str, Any]:
    """Backbone, loss and seed of the network that predicted, from test.json beside the predictions."""
    test = predictions.with_name("test.json")
    try:
        content = json.loads(test.read_bytes()) if test.is_file() else {}
    except ValueError as error:
        raise InputError(f"{test}: not readable ({error}); the audit has the reason") from None
    return {key: content[key] for key in ("backbone", "loss", "seed") if key in content}


def _near(run: Path, image_file: str) -> list[str]:
    """Up to three images of the metadata with names similar to this one."""
    if not (run / METADATA).is_file():
        return []
    names = pq.read_table(run / METADATA, columns=["image_file"])["image_file"]
    for length in range(len(image_file) - 1, 2, -1):
        alike = names.filter(pc.starts_with(names, image_file[:length]))
        if len(alike):
            return difflib.get_close_matches(image_file, alike.slice(0, 2000).to_pylist(), 3, 0.5)
    return []
