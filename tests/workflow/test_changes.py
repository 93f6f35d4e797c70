"""What a change to a finished run plans, and what it leaves as it is."""

from __future__ import annotations

import base64
import copy
import re
import shutil
import zipfile
from pathlib import Path

import pandas as pd
import pytest

from audit_run import audit_run
from bioscan1m.inference.photograph_predictions import VERDICTS
from bioscan1m.networks.pretrained import write_digest
from workflow_runs import outputs_of_jobs, planned_jobs, quarantined, snakemake, snakemake_succeeds, write_config

pytestmark = pytest.mark.workflow

CHUNKS = ("1", "2", "3")


@pytest.fixture
def copied_run(small_run, tmp_path: Path) -> Path:
    """The finished run in another folder, to spoil."""
    return Path(shutil.copytree(small_run.folder, tmp_path / "copy"))


def test_a_changed_byte_is_found_by_the_audit_of_the_folder_alone(copied_run: Path, capsys) -> None:
    assert audit_run(copied_run) == 0
    path = copied_run / "results/packages/cropped_256.zip"
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    assert audit_run(copied_run) == 1
    assert "changed\tresults/packages/cropped_256.zip" in capsys.readouterr().out


def test_a_changed_timeout_plans_nothing(copied_run: Path, small_run) -> None:
    write_config(copied_run, small_run.config | {"fetch": {"attempts": 9, "timeout": 99, "keep_chunks": True}})
    assert "Nothing to be done" in snakemake_succeeds(copied_run, "all", "--dry-run")


def test_how_fast_the_detection_runs_plans_nothing(copied_run: Path, small_run) -> None:
    config = copy.deepcopy(small_run.config)
    config["detector"]["detection"] |= {"batch_size": 7, "threads": 2, "decoders": 2}
    config["unreadable_limit"] = 0.06
    write_config(copied_run, config)
    assert "Nothing to be done" in snakemake_succeeds(copied_run, "all", "--dry-run")


def test_how_many_processes_decode_for_the_trainings_plans_nothing(copied_run: Path, small_run) -> None:
    config = copy.deepcopy(small_run.config)
    config["classifier"]["training"]["workers"] += 1
    write_config(copied_run, config)
    assert "Nothing to be done" in snakemake_succeeds(copied_run, "all", "--dry-run")


def test_other_accuracies_are_computed_without_any_training(copied_run: Path, small_run) -> None:
    config = copy.deepcopy(small_run.config)
    config["classifier"]["evaluation"]["top_k"] = [1, 2]
    write_config(copied_run, config)
    planned = planned_jobs(snakemake_succeeds(copied_run, "all", "--dry-run", "--quiet", "rules"))
    assert planned["test_classifier"] and "train_classifier" not in planned


def test_another_threshold_plans_new_boxes_and_no_evaluation(copied_run: Path, small_run) -> None:
    config = copy.deepcopy(small_run.config)
    config["detector"]["detection"] |= {"score_threshold": 0.6}
    write_config(copied_run, config)
    planned = planned_jobs(snakemake_succeeds(copied_run, "dataset", "detector", "--dry-run", "--quiet", "rules"))
    assert planned["detect_insects"] == len(CHUNKS)
    assert not {"evaluate_detector", "fine_tune_detector"} & set(planned)


def test_another_input_size_plans_new_boxes_and_no_training(copied_run: Path, small_run) -> None:
    config = copy.deepcopy(small_run.config)
    config["detector"]["detection"] |= {"image_size": {"shortest_side": 115, "longest_side": 154}}
    write_config(copied_run, config)
    planned = planned_jobs(snakemake_succeeds(copied_run, "dataset", "detector", "--dry-run", "--quiet", "rules"))
    assert planned["detect_insects"] == len(CHUNKS) and planned["evaluate_detector"] == 1
    assert "fine_tune_detector" not in planned


def test_another_base_trains_the_detector_again(copied_run: Path, small_run) -> None:
    config = copy.deepcopy(small_run.config)
    base = config["detector"]["fine_tuning"]["base"]
    config["detector"]["fine_tuning"]["base"] = str(shutil.copytree(base, copied_run / "another detector"))
    write_config(copied_run, config)
    planned = planned_jobs(snakemake_succeeds(copied_run, "all", "--dry-run", "--quiet", "rules"))
    assert {"fetch_detector", "fine_tune_detector", "detect_insects", "train_classifier"} <= set(planned)


def test_the_time_of_the_weights_alone_plans_nothing(copied_run: Path) -> None:
    for file in (copied_run / "data/weights/detector").iterdir():
        file.touch()
    assert "Nothing to be done" in snakemake_succeeds(copied_run, "all", "--dry-run")


def test_other_bytes_of_the_base_train_again_also_where_their_fetch_was_another_run(copied_run: Path) -> None:
    """As where a run was killed between the fetch and the training."""
    weights = copied_run / "data/weights/detector"
    fetched = [weights / name for name in ("config.json", "model.safetensors", "channels.json")]
    fetched[1].write_bytes(fetched[1].read_bytes()[:-1] + b"x")
    write_digest(weights / "digest.json", fetched)
    planned = planned_jobs(snakemake_succeeds(copied_run, "all", "--dry-run", "--quiet", "rules"))
    assert "fetch_detector" not in planned and "fine_tune_detector" in planned


def test_a_fetch_that_was_killed_hides_nothing_else(copied_run: Path) -> None:
    """Its files are there, and Snakemake's note that it had begun; all else is still to be made."""
    shutil.rmtree(copied_run / "results")
    for mark in (copied_run / ".snakemake/metadata").iterdir():
        if base64.b64decode(mark.name).startswith(b"data/weights/detector/"):
            shutil.move(mark, copied_run / ".snakemake/incomplete")
    planned = planned_jobs(snakemake_succeeds(copied_run, "all", "--dry-run", "--quiet", "rules"))
    assert {"fetch_detector", "fine_tune_detector", "resize_chunk", "all"} <= set(planned)


def test_a_change_whose_job_failed_is_made_by_the_next_call(copied_run: Path, small_run) -> None:
    """Snakemake notes the new parameters of a failed job, and misses no file that nothing asks for."""
    config = copy.deepcopy(small_run.config)
    config["splits"]["ratios"] = {"train": 0.6, "validation": 0.2, "test": 0.2}
    write_config(copied_run, config)
    obstacle = copied_run / "results/splits/roles.parquet.part"
    obstacle.mkdir()
    assert snakemake(copied_run, "dataset").returncode != 0
    obstacle.rmdir()
    for target in ("dataset", "experiments", "inference", "all"):
        planned = planned_jobs(snakemake_succeeds(copied_run, target, "--dry-run", "--quiet", "rules"))
        assert {"build_splits", "digest_experiment"} <= set(planned)


def test_every_job_has_a_file_that_the_target_asks_for(copied_run: Path) -> None:
    """So that none which fails is forgotten; of each job there is one log."""
    listed = snakemake_succeeds(copied_run, "all", "--dry-run", "--force", "--quiet", "host")
    (asked,) = re.findall(r"^rule all:\n    input: (.*)$", listed, flags=re.MULTILINE)
    of_job = outputs_of_jobs(copied_run).groupby("log-file(s)")["output_file"].agg(set)
    assert len(of_job) > 60 and [log for log, files in of_job.items() if not files & set(asked.split(", "))] == []


def test_new_photographs_are_predicted_without_any_training(copied_run: Path, small_run) -> None:
    folder = copied_run / "my photographs"
    folder.mkdir()
    with zipfile.ZipFile(small_run / "source/bioscan_images_original_full_part1.zip") as archive:
        names = [name for name in archive.namelist() if Path(name).name not in quarantined(small_run.folder, "1")][:3]
        places = ["Apidae/IMG_1.jpg", "Formicidae/IMG_1.jpg", "IMG_1.jpg"]
        for name, place in zip(names, places, strict=True):
            (folder / place).parent.mkdir(exist_ok=True)
            (folder / place).write_bytes(archive.read(name))
    (folder / "broken.jpg").write_bytes(b"no image")
    config = copy.deepcopy(small_run.config)
    config["inference"]["photographs"] = {"mine": str(folder)}
    write_config(copied_run, config)
    planned = planned_jobs(snakemake_succeeds(copied_run, "predict", "--dry-run", "--quiet", "rules"))
    assert planned["total"] == 8
    snakemake_succeeds(copied_run, "predict")
    table = pd.read_csv(copied_run / "results/predictions/mine/predictions.tsv", sep="\t").set_index("image_file")
    assert set(table.index) == {*(place.replace("/", "~") for place in places), "broken.jpg"}
    assert table.loc["broken.jpg", "verdict"] == "unusable" and "not an image" in table.loc["broken.jpg", "reason"]
    assert set(table["verdict"]) <= set(VERDICTS) and table["correct"].isna().all()
    asked = table[table["distance"].notna()]
    assert asked["models"].str.startswith("large_insect_order/").all() and asked["recipe"].str.len().ge(64).all()
    (folder / "broken.jpg").unlink()
    planned = planned_jobs(snakemake_succeeds(copied_run, "predict", "--dry-run", "--quiet", "rules"))
    assert planned["total"] == 8
    assert audit_run(copied_run) == 0


def test_embeddings_are_made_on_request_of_every_image_of_an_experiment(copied_run: Path) -> None:
    folder = copied_run / "results/experiments/small_insect_order"
    assert not (folder / "embeddings.parquet").exists()  # its classifier looks at no new photographs
    target = str((folder / "embeddings.parquet").relative_to(copied_run))
    planned = planned_jobs(snakemake_succeeds(copied_run, target, "--dry-run", "--quiet", "rules"))
    assert planned == {"embed_images": 1, "total": 1}
    snakemake_succeeds(copied_run, target)
    embeddings = pd.read_parquet(folder / "embeddings.parquet")
    predicted = pd.concat(pd.read_parquet(folder / f"{name}predictions.parquet") for name in ("", "validation_"))
    held_out = embeddings[embeddings["role"] != "train"]
    assert set(held_out["image_file"]) == set(predicted["image_file"])
    assert (embeddings["role"] == "train").sum() > len(held_out)
    assert embeddings["embedding"].map(len).nunique() == 1
