"""The images with a role that no classifier sees are listed with the reason, and no other."""

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from bioscan1m.foundation.published import beside_paper
from bioscan1m.foundation.quarantine import Quarantine
from summarise_experiments import LEFT_OUT, list_left_out


def make_tables(folder: Path) -> tuple[dict[str, Path], list[Path]]:
    """Two experiments, and the quarantine of two stages; of c.jpg no experiment has a role."""
    splits = {}
    for name, images in {"large": ["a.jpg", "b.jpg", "d.jpg"], "small": ["b.jpg"]}.items():
        columns = {"image_file": images, "label": [f"of {image}" for image in images], "role": ["test"] * len(images)}
        splits[name] = folder / f"{name}.parquet"
        pq.write_table(pa.table(columns), splits[name])
    quarantines = []
    for stage, images in {"detect": ["c.jpg", "b.jpg"], "crop": ["a.jpg"], "cropped_256": []}.items():
        quarantine = Quarantine(stage)
        for image in images:
            quarantine.add(image, f"no {image}")
        quarantines.append(folder / f"{stage}.tsv")
        quarantine.write(quarantines[-1])
    return splits, quarantines


def test_each_image_stands_under_each_of_its_experiments(tmp_path: Path) -> None:
    found = list_left_out(*make_tables(tmp_path))
    assert list(found.columns) == LEFT_OUT
    assert found[["experiment", "class", "image_file", "stage", "reason"]].to_numpy().tolist() == [
        ["large", "of b.jpg", "b.jpg", "detect", "no b.jpg"],
        ["large", "of a.jpg", "a.jpg", "crop", "no a.jpg"],
        ["small", "of b.jpg", "b.jpg", "detect", "no b.jpg"],
    ]


def test_nothing_is_lost_where_nothing_is_in_quarantine(tmp_path: Path) -> None:
    splits, quarantines = make_tables(tmp_path)
    for tables in (quarantines[2:], []):
        assert list_left_out(splits, tables).empty
    assert list(list_left_out({}, quarantines).columns) == LEFT_OUT


def test_without_the_paper_a_table_has_only_what_was_measured() -> None:
    columns = ["experiment", "micro_top1", "micro_top1_published", "micro_top1_difference", "differs_from_paper"]
    table = pd.DataFrame([[0] * len(columns)], columns=columns)
    assert list(beside_paper(table, True)) == columns
    assert list(beside_paper(table, False)) == columns[:2]
