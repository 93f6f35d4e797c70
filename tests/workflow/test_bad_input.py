"""What users get wrong: each gives a message that names the file, key or row, and nothing already made is lost."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pandas as pd
import pytest

from workflow_runs import small_config, snakemake, snakemake_succeeds, write_config

pytestmark = pytest.mark.workflow

METADATA = "source/BIOSCAN_Insect_Dataset_metadata.tsv"
CHUNK_1 = "source/bioscan_images_original_full_part1.zip"


def change_manifest(run: Path, **values: str) -> None:
    """Set columns of chunks.tsv for chunk 1."""
    table = pd.read_csv(run / "chunks.tsv", sep="\t", dtype=str, keep_default_na=False)
    for column, value in values.items():
        table.loc[table["chunk"] == "1", column] = value
    table.to_csv(run / "chunks.tsv", sep="\t", index=False)


def fails(run: Path, *arguments: str) -> str:
    done = snakemake(run, *arguments)
    assert done.returncode != 0, done.stdout
    assert "Traceback" not in done.stdout, done.stdout
    return done.stdout


def test_unknown_and_mistyped_config_keys(new_run: Path) -> None:
    config = small_config()
    config["crop"]["ration"] = 1.4
    config["resize"]["pixels"] = "256 px"
    config["detector"]["use"] = "nobody"
    write_config(new_run, config)
    output = fails(new_run, "--dry-run")
    assert "crop.ration: unknown key; did you mean 'ratio'?" in output
    assert "resize.pixels: '256 px' is not of type 'integer'" in output


def test_a_key_that_is_given_twice(new_run: Path) -> None:
    with (new_run / "config.yaml").open("a") as file:
        file.write("crop: {ratio: 1.0}\n")
    assert "config.yaml, line" in (output := fails(new_run, "--dry-run")) and "the key 'crop' is in line" in output


def test_a_long_value_is_cut_in_the_message(new_run: Path) -> None:
    config = small_config()
    config["crop"]["ratio"] = "x" * 100_000
    write_config(new_run, config)
    output = fails(new_run, "--dry-run")
    assert "crop.ratio: 'xxx" in output and "is not of type 'number'" in output and len(output) < 10_000


def test_chunks_whose_zips_of_crops_would_have_one_name(new_run: Path) -> None:
    config = small_config()
    config["packages"]["chunks_per_group"] = 2
    write_config(new_run, config)
    rows = "".join(f"{name}\thttps://example.org/x.zip\t\t\n" for name in ("a", "b-c", "a-b", "c"))
    (new_run / "chunks.tsv").write_text(f"chunk\tsource\tbytes\tchecksum\n{rows}")
    assert "would both be called a-b-c; rename a chunk" in fails(new_run, "--dry-run")


def test_missing_chunk_file(new_run: Path) -> None:
    (new_run / CHUNK_1).unlink()
    output = fails(new_run, "results/quarantine/detect/part1.tsv")
    assert "bioscan_images_original_full_part1.zip" in output
    assert "Missing input files for rule fetch_chunk" in output


def test_wrong_checksum_leaves_no_chunk(new_run: Path) -> None:
    with (new_run / CHUNK_1).open("ab") as file:
        file.write(b"x")
    change_manifest(new_run, bytes="")
    output = fails(new_run, "data/chunks/bioscan_images_original_full_part1.zip")
    assert "sha256" in output and "part1.zip" in output
    assert "Trying to restart" not in output  # the file would be as wrong once more
    assert not list((new_run / "data/chunks").glob("*part1.zip*"))


def test_zip_that_is_no_zip(new_run: Path) -> None:
    (new_run / CHUNK_1).write_text("<html>Quota exceeded</html>")
    change_manifest(new_run, bytes="", checksum="")
    output = fails(new_run, "data/chunks/bioscan_images_original_full_part1.zip")
    assert "part1.zip" in output and "zip" in output


def test_metadata_without_a_needed_column(new_run: Path) -> None:
    text = (new_run / METADATA).read_text()
    (new_run / METADATA).write_text(text.replace("\torder\t", "\tordo\t", 1))
    output = fails(new_run, "results/metadata/validated.parquet")
    assert "order" in output and "BIOSCAN_Insect_Dataset_metadata.tsv" in output


def test_metadata_with_duplicate_image_names(new_run: Path) -> None:
    lines = (new_run / METADATA).read_text().splitlines()
    (new_run / METADATA).write_text("\n".join([*lines, lines[1]]) + "\n")
    image_file = lines[1].split("\t")[lines[0].split("\t").index("image_file")]
    output = fails(new_run, "results/metadata/validated.parquet")
    assert image_file in output


def test_image_without_row_and_row_without_image_are_listed(run: Path) -> None:
    lines = (run / METADATA).read_text().splitlines()
    column = lines[0].split("\t").index("image_file")
    dropped = lines.pop(5).split("\t")[column]
    ghost = lines[5].split("\t")
    ghost[column], ghost[0], ghost[1] = "GHOST-A01.jpg", "GHOST-A01", "GHOST-A01"
    (run / METADATA).write_text("\n".join([*lines, "\t".join(ghost)]) + "\n")
    snakemake_succeeds(run, "results/metadata/reconciliation.tsv", "results/quarantine/all.tsv")
    table = (run / "results/metadata/reconciliation.tsv").read_text()
    assert f"{dropped}\t" in table and "GHOST-A01.jpg\t" in table
    quarantined = (run / "results/quarantine/all.tsv").read_text()
    assert f"{dropped}\tmetadata\timage without row" in quarantined
    assert "GHOST-A01.jpg\tmetadata\trow without image" in quarantined


def test_an_experiment_without_classes_stops_before_any_image_is_looked_at(new_run: Path) -> None:
    config = small_config()
    config["splits"]["experiments"]["large_diptera_family"]["where"] = {"order": "Dipterra"}
    write_config(new_run, config)
    output = fails(new_run, "results/experiments/large_diptera_family/classes.tsv")
    assert "splits.experiments.large_diptera_family: no class of the column family" in output
    assert not (new_run / "data/chunks").exists()


def test_too_many_bad_images_fail_the_job_with_the_list(run: Path) -> None:
    with zipfile.ZipFile(run / CHUNK_1) as archive:
        names = archive.namelist()
    with zipfile.ZipFile(run / CHUNK_1, "w") as archive:
        for name in names:
            archive.writestr(name, b"no image")
    change_manifest(run, source=(run / CHUNK_1).as_uri(), bytes="", checksum="")
    output = fails(run, "results/boxes/part1.parquet")
    assert "unreadable_limit" in output and Path(names[0]).name in output
