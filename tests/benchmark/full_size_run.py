"""A run folder with the files, records and rows of all 113 chunks; bytes that no one reads are few."""

from __future__ import annotations

import json
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pyarrow as pa
import yaml
from PIL import Image

from bioscan1m.audit.trace import BOXES, CHUNK, CROPPED, METADATA
from bioscan1m.boxes.table import DETECTED, FLAGS, SCHEMA, write_boxes
from bioscan1m.experiments.predictions import Predictions, write_predictions
from bioscan1m.foundation.archives import ZipWriter
from bioscan1m.foundation.digests import describe_file
from bioscan1m.foundation.images import encode_jpeg
from bioscan1m.jobs.code_digest import code_digest
from bioscan1m.jobs.records import RECORDS, parse_record, write_record
from bioscan1m.jobs.sealing import seal
from bioscan1m.metadata.table import PUBLISHED_COLUMNS, PUBLISHED_EXPERIMENTS, write_strings
from bioscan1m.package.images import GROUP, keep_names_in_memory
from pack_hdf5 import FORMAT

CHUNKS, IMAGES_PER_CHUNK = 113, 10_000
IMAGES = CHUNKS * IMAGES_PER_CHUNK
TESTED = 200_000  # images of a large experiment's test, about
TRIALS = 12  # per experiment: four, with three seeds
CLASSES = [f"class {number}" for number in range(16)]
CROP = yaml.safe_load((Path(__file__).parents[2] / "config.yaml").read_text())["crop"]


def write_full_size_run(run: Path) -> None:
    """Write the folder, and seal its records."""
    names = np.array([f"BIOUG{number:07}.jpg" for number in range(IMAGES)], dtype=object)
    made = Maker(run)
    package = "results/packages/cropped_256.hdf5"
    with ProcessPoolExecutor(1, get_context("spawn")) as beside:
        packing = beside.submit(_write_package, made.place(package), names)
        _write_tables(made, names)
        packing.result()
    made.record("pack_hdf5", "cropped_256", [], [package])
    for experiment in PUBLISHED_EXPERIMENTS:
        _write_experiment(made, experiment, names[-TESTED:])
    seal(made.run / "results/provenance/ledger.jsonl", made.records, "2026-01-01")


def _write_tables(made: Maker, names: np.ndarray) -> None:
    """All that is made before the package is read."""
    for chunk in range(1, CHUNKS + 1):
        _write_chunk(made, str(chunk), names[(chunk - 1) * IMAGES_PER_CHUNK : chunk * IMAGES_PER_CHUNK])
    columns = {name: pa.array(np.full(IMAGES, "no_split", dtype=object), pa.string()) for name in PUBLISHED_COLUMNS}
    chunks = np.repeat(np.arange(1, CHUNKS + 1), IMAGES_PER_CHUNK).astype(str)
    columns |= {"image_file": pa.array(names, pa.string()), "chunk_number": pa.array(chunks, pa.string())}
    write_strings(made.place(METADATA), pa.table(columns))
    made.record("join_metadata", "metadata", [], [METADATA])


class Maker:
    """Writes files and the records of the jobs that could have made them."""

    def __init__(self, run: Path) -> None:
        self.run = run
        self.records = []

    def place(self, path: str) -> Path:
        """Where a path of the run lies; its folder is there."""
        (self.run / path).parent.mkdir(parents=True, exist_ok=True)
        return self.run / path

    def record(self, rule: str, name: str, inputs: list[str], outputs: list[str]) -> None:
        """Write the record of a job, and those of its outputs that are not there yet."""
        for path in outputs:
            if not self.place(path).exists():
                self.place(path).write_text(path)
        files = [[describe_file(self.run / path) | {"path": path} for path in paths] for paths in (inputs, outputs)]
        content = {"rule": rule, "wildcards": {}, "inputs": files[0], "outputs": files[1]}
        content |= {"parameters": {"crop": CROP}, "code": code_digest(rule), "started": "", "ended": "2026-01-01"}
        path = f"{RECORDS}/{rule}/{name}.json"
        write_record(self.place(path), content)
        self.records.append(parse_record(path, (self.run / path).read_bytes()))


def _write_chunk(made: Maker, chunk: str, names: np.ndarray) -> None:
    """The files of a chunk; its zips have all their members where the trace reads them, in one chunk."""
    source, boxes, cropped = (path.format(chunk=chunk) for path in (CHUNK, BOXES, CROPPED))
    for path in (source, cropped):
        with ZipWriter(made.place(path)) as archive:
            for name in names if chunk == str(CHUNKS // 2 + 1) else names[:1]:
                archive.add(f"part{chunk}/{name}", b"")
    frame = pd.DataFrame({"image_file": names}).reindex(columns=SCHEMA.names)
    frame = frame.assign(width=2880, height=2160, x_min=900.0, y_min=700.0, x_max=1900.0, y_max=1500.0, score=0.9)
    write_boxes(made.place(boxes), frame.assign(status=DETECTED, **dict.fromkeys(FLAGS, False)), {"model": "0" * 64})
    made.record("fetch_chunk", chunk, [], [source])
    made.record("detect_insects", chunk, [source], [boxes, f"results/quarantine/detect/part{chunk}.tsv"])
    made.record("crop_chunk", chunk, [source, boxes], [cropped, f"results/quarantine/crop/part{chunk}.tsv"])
    for package, images in (("original_256", source), ("cropped_256", cropped)):
        shard = f"results/shards/{package}/part{chunk}.zip"
        table = f"results/quarantine/{package}/part{chunk}.tsv"
        made.record("resize_chunk", f"{package}{chunk}", [images], [shard, table])


def _write_package(path: Path, names: np.ndarray) -> None:
    data = np.frombuffer(encode_jpeg(Image.new("RGB", (16, 16)), 75), np.uint8)
    with h5py.File(path, "w", libver=FORMAT) as file:
        keep_names_in_memory(file)
        group, space = file.create_group(GROUP).id, h5py.h5s.create_simple(data.shape)
        for name in names:
            dataset = h5py.h5d.create(group, name.encode(), h5py.h5t.NATIVE_UINT8, space)
            dataset.write(h5py.h5s.ALL, h5py.h5s.ALL, data)


def _write_experiment(made: Maker, experiment: str, names: np.ndarray) -> None:
    folder = f"results/experiments/{experiment}"
    truth = np.zeros(len(names), np.int64)
    logits = np.random.default_rng(0).normal(size=(len(names), len(CLASSES))).astype(np.float32)
    write_predictions(made.place(f"{folder}/predictions.parquet"), Predictions(CLASSES, list(names), truth, logits))
    made.place(f"{folder}/test.json").write_text(json.dumps({"backbone": "vit_b_16", "loss": "ce", "seed": 1}))
    for trial in range(TRIALS):
        files = [f"{folder}/{trial}/{name}" for name in ("model.safetensors", "history.tsv", "validation.json")]
        made.record("train_classifier", f"{experiment}{trial}", ["results/packages/cropped_256.hdf5"], files)
    made.record("test_classifier", experiment, [], [f"{folder}/predictions.parquet", f"{folder}/test.json"])
