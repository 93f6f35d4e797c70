"""The metadata of full size: read, validate, give six roles, write; beside a bare read and write of the same file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import yaml

from benchmark.harness import Stage, cores, new_file
from bioscan1m.foundation.published import published
from bioscan1m.metadata.split_settings import Splits
from bioscan1m.metadata.split_tables import build_splits
from bioscan1m.metadata.table import NO_SPLIT, NOT_CLASSIFIED, SOURCE_COLUMNS, write_tsv
from bioscan1m.metadata.validation import BIN_FORM, validate_metadata
from join_metadata import join_metadata

ROWS = 1_128_313
BARCODE_LETTERS = 658
CONFIG = Path(__file__).parents[2] / "config.yaml"
LABELS = ["family", "order"]
CHUNKS = [str(chunk) for chunk in range(1, 114)]


def prepare(folder: Path, share: float = 1) -> None:
    """Write a table with the published numbers of images per class and a barcode in each row; or a share of it."""
    rng = np.random.default_rng(0)
    rows = int(ROWS * share)
    orders, families = (names[:rows] for names in _taxa(rng))
    letters = np.frombuffer(b"ACGT", np.uint8)[rng.integers(0, 4, (5000, BARCODE_LETTERS))]
    barcodes = np.array([row.tobytes().decode() for row in letters], dtype=object)
    columns: dict[str, object] = {name: np.full(rows, NOT_CLASSIFIED, dtype=object) for name in SOURCE_COLUMNS}
    names = [f"BIOUG{row // 96:05}-{row % 96:02}" for row in range(rows)]
    columns |= {
        "sampleid": names,
        "processid": [f"P{row}" for row in range(rows)],
        "uri": [f"BOLD:AAA{row % 9000:04}" for row in range(rows)],
        "order": orders,
        "family": families,
        "nucraw": barcodes[rng.integers(0, len(barcodes), rows)],
        "image_file": [f"{name}.jpg" for name in names],
        "chunk_number": [str(min(row // 10_000 + 1, 113)) for row in range(rows)],
    }
    write_tsv(folder / "metadata.tsv", pa.table({name: pa.array(columns[name], pa.string()) for name in columns}))


def stages() -> list[Stage]:
    """What is timed."""
    variants = {"ours": ours, "reference": naive, "limit": limit}
    return [Stage("metadata: validate, split, join", variants, "rows", scales=True)]


def further(folder: Path) -> dict[str, object]:
    """The size of the table."""
    return {"rows": ROWS, "bytes": (folder / "metadata.tsv").stat().st_size}


def ours(folder: Path) -> Callable[[], int]:
    """The three steps of the workflow, one after the other."""
    splits = _splits()
    settings, experiments = Splits.from_config(splits), splits["experiments"]
    tables = [folder / f"{name}.parquet" for name in experiments]
    source, joined = folder / "metadata.tsv", new_file(folder / "joined.tsv")
    validated, roles, warnings = folder / "validated.parquet", folder / "roles.parquet", folder / "warnings.tsv"
    further = {"roles": roles, "counts": folder / "counts.tsv", "shortfalls": folder / "shortfalls.tsv"}

    def work() -> int:
        validate_metadata(source, CHUNKS, LABELS, list(experiments), validated, warnings, cores())
        build_splits(validated, settings, tables, **further, threads=cores())
        return join_metadata(source, roles, LABELS, joined, cores())["out"]

    return work


def naive(folder: Path) -> Callable[[], int]:
    """pandas with all in memory: two checks, roles drawn class by class, subsets from all classes at once."""
    splits, joined = _splits(), new_file(folder / "naive.tsv")

    def work() -> int:
        table = pd.read_csv(folder / "metadata.tsv", sep="\t", dtype=str, keep_default_na=False)
        if table["image_file"].duplicated().any() or not table["uri"].str.fullmatch(BIN_FORM).all():
            raise ValueError("bad rows")
        for name, task in splits["experiments"].items():
            is_subset = "parent" in task
            table[name] = draw_subset(table, task) if is_subset else draw_roles(table, task, splits["ratios"])
        table.to_csv(joined, sep="\t", index=False)
        return len(table)

    return work


def draw_roles(table: pd.DataFrame, task: dict[str, Any], ratios: dict[str, float]) -> pd.Series:
    """The shares of each class, in random order."""
    known = table[task["label"]] != NOT_CLASSIFIED
    for column, value in task.get("where", {}).items():
        known &= table[column] == value
    roles = pd.Series(NO_SPLIT, table.index)
    for rows in table.index[known].groupby(table.loc[known, task["label"]]).values():
        shuffled, start = np.random.default_rng(0).permutation(rows), 0
        for role, share in ratios.items():
            roles[shuffled[start : start + round(len(rows) * share)]] = role
            start += round(len(rows) * share)
    return roles


def draw_subset(table: pd.DataFrame, task: dict[str, Any]) -> pd.Series:
    """Some of the images that have a role in the parent, with that role."""
    roles = table.loc[table[task["parent"]] != NO_SPLIT, task["parent"]]
    return roles.sample(min(task["images"], len(roles)), random_state=0).reindex(table.index, fill_value=NO_SPLIT)


def limit(folder: Path) -> Callable[[], int]:
    """pyarrow reads the table and writes it, as it does when told of nothing but the tabs."""
    bare = new_file(folder / "bare.tsv")

    def work() -> int:
        table = pa.csv.read_csv(folder / "metadata.tsv", parse_options=pa.csv.ParseOptions(delimiter="\t"))
        pa.csv.write_csv(table, bare, pa.csv.WriteOptions(delimiter="\t"))
        return table.num_rows

    return work


def _splits() -> dict[str, Any]:
    return yaml.safe_load(CONFIG.read_text())["splits"]


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
