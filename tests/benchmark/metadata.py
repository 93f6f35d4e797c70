"""The metadata of full size: read, validate, give six roles, write; beside a bare read and write of the same file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import yaml

from benchmark.harness import Stage, cores, new_file
from bioscan1m.metadata.metadata import NOT_CLASSIFIED, SOURCE_COLUMNS, write_tsv
from bioscan1m.metadata.metadata_join import join_metadata
from bioscan1m.metadata.metadata_validation import validate_metadata
from bioscan1m.metadata.split_tables import build_splits
from bioscan1m.published import published

ROWS = 1_128_313
BARCODE_LETTERS = 658
CONFIG = Path(__file__).parents[2] / "config.yaml"
LABELS = ["family", "order"]
CHUNKS = [str(chunk) for chunk in range(1, 114)]


def prepare(folder: Path, share: float = 1) -> None:
    """Write a table with the published numbers of images per class and a barcode in each row; or a share of it."""
    rng = np.random.default_rng(0)
    orders, families = _taxa(rng)
    letters = np.frombuffer(b"ACGT", np.uint8)[rng.integers(0, 4, (5000, BARCODE_LETTERS))]
    barcodes = np.array([row.tobytes().decode() for row in letters], dtype=object)
    columns: dict[str, object] = {name: np.full(ROWS, NOT_CLASSIFIED, dtype=object) for name in SOURCE_COLUMNS}
    names = [f"BIOUG{row // 96:05}-{row % 96:02}" for row in range(ROWS)]
    columns |= {
        "sampleid": names,
        "processid": [f"P{row}" for row in range(ROWS)],
        "uri": [f"BOLD:AAA{row % 9000:04}" for row in range(ROWS)],
        "order": orders,
        "family": families,
        "nucraw": barcodes[rng.integers(0, len(barcodes), ROWS)],
        "image_file": [f"{name}.jpg" for name in names],
        "chunk_number": [str(min(row // 10_000 + 1, 113)) for row in range(ROWS)],
    }
    table = pa.table({name: pa.array(columns[name], pa.string()) for name in columns})
    write_tsv(folder / "metadata.tsv", table.slice(0, int(ROWS * share)))


def stages() -> list[Stage]:
    """What is timed."""
    return [Stage("metadata: validate, split, join", {"ours": ours, "limit": limit}, "rows", scales=True)]


def further(folder: Path) -> dict[str, object]:
    """The size of the table."""
    return {"rows": ROWS, "bytes": (folder / "metadata.tsv").stat().st_size}


def ours(folder: Path) -> Callable[[], int]:
    """The three steps of the workflow, one after the other."""
    splits = yaml.safe_load(CONFIG.read_text())["splits"]
    experiments = splits["experiments"]
    tables = [folder / f"{name}.parquet" for name in experiments]
    source, joined = folder / "metadata.tsv", new_file(folder / "joined.tsv")
    validated, roles, warnings = folder / "validated.parquet", folder / "roles.parquet", folder / "warnings.tsv"

    def work() -> int:
        validate_metadata(source, CHUNKS, LABELS, list(experiments), validated, warnings, cores())
        build_splits(validated, splits, tables, roles, folder / "counts.tsv", folder / "shortfalls.tsv", cores())
        return join_metadata(source, roles, LABELS, joined, cores())["out"]

    return work


def limit(folder: Path) -> Callable[[], int]:
    """pyarrow reads the table and writes it, as it does when told of nothing but the tabs."""
    bare = new_file(folder / "bare.tsv")

    def work() -> int:
        table = pa.csv.read_csv(folder / "metadata.tsv", parse_options=pa.csv.ParseOptions(delimiter="\t"))
        pa.csv.write_csv(table, bare, pa.csv.WriteOptions(delimiter="\t"))
        return table.num_rows

    return work


def _taxa(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Orders and families of all rows, with the published numbers of images, in random order."""
    counts = published("class_counts").groupby("group_level")
    families, orders = (counts.get_group(group).set_index("class")["images"] for group in ("diptera_family", "order"))
    pairs = [("Diptera", family, images) for family, images in families.items()]
    pairs += [(order, NOT_CLASSIFIED, images) for order, images in orders.drop("Diptera").items()]
    pairs.append(("Diptera", NOT_CLASSIFIED, int(orders["Diptera"] - families.sum())))
    pairs.append((NOT_CLASSIFIED, NOT_CLASSIFIED, ROWS - sum(images for *_, images in pairs)))
    places = rng.permutation(np.repeat(np.arange(len(pairs)), [images for *_, images in pairs]))
    names = np.array([[order, family] for order, family, _ in pairs], dtype=object)
    return names[places, 0], names[places, 1]
