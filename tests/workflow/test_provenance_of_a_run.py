"""What a finished run can say of its files and images, by the commands that the README names."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import h5py
import pandas as pd
import pytest
from PIL import Image

from bioscan1m.audit.identification import read_recipe_digest
from bioscan1m.audit.reproduction import reproduce
from bioscan1m.audit.trace import trace_image
from bioscan1m.foundation.digests import file_digest
from bioscan1m.foundation.recipe_hook import RECIPE_DIGEST
from bioscan1m.jobs.ledger import HEAD, LEDGER, read_ledger
from bioscan1m.jobs.recipe import recipe_digest
from bioscan1m.jobs.records import write_record
from workflow_runs import REPOSITORY

pytestmark = pytest.mark.workflow

METADATA = "results/metadata/BIOSCAN_Insect_Dataset_metadata.parquet"


def command(script: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """One of the commands, run as a user does."""
    return subprocess.run(
        [sys.executable, f"workflow_scripts/{script}.py", *map(str, arguments)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def metadata(small_run) -> pd.DataFrame:
    return pd.read_parquet(small_run / METADATA).set_index("image_file")


def test_every_record_is_sealed_but_those_that_came_later(small_run) -> None:
    ledger = read_ledger(small_run / LEDGER, small_run / HEAD)
    records = {
        path.relative_to(small_run.folder).as_posix() for path in (small_run / "results").rglob("records/**/*.json")
    }
    later = {path.split("/")[3] for path in records - set(ledger.newest)}
    assert ledger.faults == [] and len(ledger.newest) > 50
    assert later <= {"audit", "export_crate", "seal_records", "render_tables"}


def test_records_of_trainings_say_what_is_no_reason_to_train_again(small_run) -> None:
    path = next((small_run / "results/provenance/records/train_classifier").rglob("*.json"))
    ancient = {Path(file["path"]).name for file in json.loads(path.read_text())["inputs"] if file.get("ancient")}
    assert "cropped_256.hdf5" in ancient and "data.digest.json" not in ancient


def test_an_image_is_traced_from_its_zip_to_the_models_that_saw_it(small_run, metadata: pd.DataFrame) -> None:
    image_file = metadata.index[(metadata["small_insect_order"] == "train") & (metadata["chunk_number"] == "2")][0]
    trace = trace_image(small_run.folder, image_file)
    original, crop = trace["original"], trace["crop"]
    assert original["sha256"] == file_digest(small_run / original["path"])
    for place in (original, crop):
        info = zipfile.ZipFile(small_run / place["path"]).getinfo(place["member"])
        assert (f"{info.CRC:08x}", info.file_size) == (place["crc32"], place["member_bytes"])
    with zipfile.ZipFile(small_run / crop["path"]) as archive, archive.open(crop["member"]) as file:
        left, top, right, bottom = crop["rectangle"]
        assert Image.open(file).size == (right - left, bottom - top)
    assert trace["box"]["detector"] == "results/detector/SW-240/model.safetensors"
    assert "data/annotations/SW-240.zip" in trace["box"]["detector_made_from"]
    for package in trace["packages"]:
        with h5py.File(small_run / package["path"]) as file:
            assert package["bytes"] == file["bioscan_dataset"][image_file].size
    models = {model["model"] for model in trace["trained_on_it"]}
    assert models >= {
        path.relative_to(small_run.folder).as_posix() for path in trained(small_run, "small_insect_order")
    }
    assert not any("small_insect_order" in answer["path"] for answer in trace["predictions"])


def trained(run, experiment: str) -> list[Path]:
    return list((run / f"results/experiments/{experiment}").glob("*/model.safetensors"))


def test_roles_and_their_reasons_agree_with_the_metadata_and_the_counts(small_run, metadata: pd.DataFrame) -> None:
    for image_file in random.Random(1).sample(list(metadata.index), 25):
        row = metadata.loc[image_file]
        for role in trace_image(small_run.folder, image_file)["roles"]:
            assert role["role"] == row[role["experiment"]]
            drawn = role["why"].startswith(("drawn", "split", "each class", "inherited"))
            assert drawn == (role["role"] != "no_split"), role
            if role["why"].startswith(("drawn", "not drawn")):
                same = (metadata[role["experiment"]] == row[role["why"].split(" in ")[1].split(",")[0]]) & (
                    metadata["family" if "family" in role["experiment"] else "order"] == role["class"]
                )
                assert f"drawn: {same.sum()} of the " in role["why"]


def test_a_predicted_image_has_the_answers_of_the_tested_models(small_run) -> None:
    predictions = pd.read_parquet(small_run / "results/experiments/large_insect_order/predictions.parquet")
    first = predictions.iloc[0]
    answers = {answer["path"]: answer for answer in trace_image(small_run.folder, first["image_file"])["predictions"]}
    answer = answers["results/experiments/large_insect_order/predictions.parquet"]
    assert (answer["truth"], answer["prediction"]) == (first["truth"], first["prediction"])
    assert 1 / len(first["logits"]) <= answer["probability"] <= 1
    selected = json.loads((small_run / "results/experiments/large_insect_order/selection.json").read_text())["selected"]
    assert {key: answer[key] for key in selected} == selected


def test_the_command_traces_in_less_than_two_seconds_and_draws(
    small_run, metadata: pd.DataFrame, tmp_path: Path
) -> None:
    before = os.times()
    done = command("trace_image", metadata.index[0], "--run", small_run.folder)
    assert done.returncode == 0, done.stderr
    after = os.times()  # seconds of cores: what else the machine does must not count
    assert after.children_user + after.children_system - before.children_user - before.children_system < 2
    assert f"{metadata.index[0]}, chunk 1" in done.stdout
    drawn = command("trace_image", metadata.index[0], "--run", small_run.folder, "--picture", tmp_path / "trace.png")
    assert drawn.stdout == done.stdout and Image.open(tmp_path / "trace.png").width > 800
    unknown = command("trace_image", metadata.index[0].replace("A01", "A0"), "--run", small_run.folder)
    assert unknown.returncode == 1 and "nearly so:" in unknown.stderr and "Traceback" not in unknown.stderr


def test_an_unreadable_photograph_is_traced_to_its_quarantine(small_run) -> None:
    table = pd.read_csv(small_run / "results/quarantine/all.tsv", sep="\t")
    trace = trace_image(small_run.folder, table["image_file"].iloc[0])
    assert trace["quarantine"] and trace["packages"] == [] and trace["crop"]["rectangle"] is None


def linked(run, folder: Path, *names: str) -> Path:
    """A run folder that has only these of the results."""
    (folder / "results").mkdir(parents=True)
    for name in names:
        (folder / "results" / name).symlink_to(run / "results" / name)
    return folder


def test_what_a_run_does_not_have_is_left_out_of_the_trace(small_run, metadata: pd.DataFrame, tmp_path: Path) -> None:
    packed = ("packages", "metadata", "splits", "provenance")
    temporary = trace_image(linked(small_run, tmp_path / "a", "boxes", "cropped", *packed), metadata.index[0])
    assert temporary["original"]["state"] == "not there any more"
    assert temporary["original"]["checksum"].startswith("sha256:") and temporary["crop"]["crc32"]
    published = trace_image(linked(small_run, tmp_path / "b", *packed), metadata.index[0])
    assert published["chunk"] is None and "box" not in published
    assert len(published["packages"]) == 2 and len(published["roles"]) == 6


@pytest.mark.parametrize("damaged", [METADATA, "results/boxes/part1.parquet", "results/packages/cropped_256.hdf5"])
def test_a_damaged_file_is_named(small_run, metadata: pd.DataFrame, tmp_path: Path, damaged: str) -> None:
    run = linked(small_run, tmp_path)
    for name in {METADATA, "results/boxes/part1.parquet", "results/packages/cropped_256.hdf5"}:
        (run / name).parent.mkdir(exist_ok=True)
        (run / name).symlink_to(small_run / name)
    (run / damaged).unlink()
    (run / damaged).write_bytes(b"PAR1 and no more")
    done = command("trace_image", metadata.index[0], "--run", run)
    assert done.returncode == 1 and damaged in done.stderr and "Traceback" not in done.stderr


def test_a_package_is_followed_back_to_the_chunks(small_run) -> None:
    done = command("audit_run", small_run.folder, "results/packages/cropped_256.hdf5", "--format", "json")
    (answer,) = json.loads(done.stdout)
    chunks = [source for source in answer["sources"] if "data/chunks/" in source["path"]]
    assert answer["state"] == "intact" and len(chunks) == 3
    assert all(source["checksum"] == f"sha256:{source['sha256']}" for source in chunks)


def test_files_that_jobs_make_carry_the_recipe_of_their_record(small_run) -> None:
    kinds = set()
    for path in (small_run / "results/provenance/records").rglob("*.json"):
        record = json.loads(path.read_text())
        assert record[RECIPE_DIGEST] == recipe_digest(record)
        for name in (file["path"] for file in record["outputs"]):
            if Path(name).suffix in (".hdf5", ".parquet", ".safetensors", ".zip"):
                fetched = record["rule"].startswith("fetch_")  # these are as they came
                assert read_recipe_digest(small_run / name) == (None if fetched else record[RECIPE_DIGEST]), name
                kinds |= set() if fetched else {Path(name).suffix}
    assert kinds == {".hdf5", ".parquet", ".safetensors", ".zip"}


@pytest.mark.parametrize(
    ("name", "changed_byte"),
    [
        ("results/packages/cropped_256.hdf5", None),
        ("results/packages/cropped_256.hdf5", -1),
        ("results/packages/cropped_256.zip", 500),
        ("results/boxes/part1.parquet", 50),
        ("results/detector/SW-240/model.safetensors", -1),
    ],
)
def test_a_file_that_left_the_run_is_known_by_its_bytes_or_its_recipe(
    small_run, tmp_path: Path, name: str, changed_byte: int | None
) -> None:
    copy = tmp_path / f"my copy{Path(name).suffix}"
    data, state = bytearray((small_run / name).read_bytes()), "intact"
    if changed_byte is not None:
        data[changed_byte] ^= 1
        state = "changed"
    copy.write_bytes(data)
    done = command("audit_run", small_run.folder, copy, "--format", "json")
    (answer,) = json.loads(done.stdout)
    assert (answer["state"], done.returncode) == (state, int(state == "changed"))
    assert name in answer["detail"] and answer["sources"]
    assert answer["path"] == str(copy)


def test_a_job_gives_the_same_bytes_again(small_run, tmp_path: Path) -> None:
    path = "results/cropped/bioscan_images_cropped_full_part1.zip"
    found = reproduce(small_run.folder, path, tmp_path / "scratch")
    assert found.equal == [path, "results/quarantine/crop/part1.tsv"] and not found.different + found.changes


def test_other_code_that_gives_the_same_crops_gives_equal_bytes_but_for_the_recipe(small_run, tmp_path: Path) -> None:
    path, record_path = (
        "results/cropped/bioscan_images_cropped_full_part1.zip",
        "results/provenance/records/crop_chunk/part1.json",
    )
    run = Path(shutil.copytree(small_run.folder, tmp_path / "run"))
    record = json.loads((run / record_path).read_text())
    made_by_other_code = record | {"code": "crop_chunk:of another day"}
    recipe = recipe_digest(made_by_other_code)
    crops = (run / path).read_bytes().replace(record[RECIPE_DIGEST].encode(), recipe.encode())
    (run / path).write_bytes(crops)
    outputs = [
        file | ({"sha256": file_digest(run / path)} if file["path"] == path else {}) for file in record["outputs"]
    ]
    write_record(run / record_path, made_by_other_code | {RECIPE_DIGEST: recipe, "outputs": outputs})
    for name in (LEDGER, HEAD):
        (run / name).unlink()
    found = reproduce(run, path, tmp_path / "scratch")
    assert path in found.equal and not found.different
    assert any(change.startswith("code was crop_chunk:of another day") for change in found.changes)
