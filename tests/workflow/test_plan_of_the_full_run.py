"""The full config plans 113 chunks and 72 trainings, by each of the commands that users type."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
import yaml

from bioscan1m.jobs.planned import PLANS, read_plan
from bioscan1m.jobs.records import RECORDS
from workflow_runs import REPOSITORY, outputs_of_jobs, planned_jobs, snakemake, snakemake_succeeds

pytestmark = pytest.mark.workflow


@pytest.fixture
def full_run(tmp_path: Path) -> Path:
    """An empty folder with the full config and manifest."""
    for name in ("config.yaml", "chunks.tsv"):
        shutil.copy(REPOSITORY / name, tmp_path)
    return tmp_path


@pytest.mark.parametrize("profile", ["profiles/demo", "slurm"])
def test_dry_run_plans_every_chunk_and_training(full_run: Path, profile: str) -> None:
    jobs = planned_jobs(snakemake_succeeds(full_run, "--dry-run", "--quiet", "rules", profile=profile))
    for rule in ("fetch_chunk", "detect_insects", "crop_chunk", "join_quarantine"):
        assert jobs[rule] == 113
    assert jobs["resize_chunk"] == 226
    assert jobs["pack_crops"] == 6
    assert jobs["train_classifier"] == 72
    assert jobs["list_classes"] == 6
    assert jobs["test_classifier"] == 6
    assert jobs["import_detector"] == 1
    assert "fine_tune_detector" not in jobs


def test_splits_alone_need_the_table_and_no_chunk(full_run: Path) -> None:
    jobs = planned_jobs(snakemake_succeeds(full_run, "splits", "--dry-run", "--quiet", "rules"))
    of_table = ("fetch_metadata", "validate_metadata", "build_splits", "join_metadata", "splits")
    assert jobs == {**dict.fromkeys(of_table, 1), "total": 5}


@pytest.fixture(scope="module")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of one chunk by the full config, of which every file is there, empty, with Snakemake's notes on it."""
    run = tmp_path_factory.mktemp("finished") / "run"
    run.mkdir()
    shutil.copy(REPOSITORY / "config.yaml", run)
    (run / "chunks.tsv").write_text("".join(manifest()[:2]))
    for name in outputs_of_jobs(run)["output_file"]:
        (run / name).parent.mkdir(parents=True, exist_ok=True)
        (run / name).touch()
    snakemake_succeeds(run, "--touch", "--forceall", "--quiet")
    return run


def manifest() -> list[str]:
    """The lines of the published manifest, the header first."""
    return (REPOSITORY / "chunks.tsv").read_text().splitlines(keepends=True)


def change_config(run: Path, old: str, new: str) -> None:
    """Replace what is there once."""
    config = (run / "config.yaml").read_text()
    assert config.count(old) == 1
    (run / "config.yaml").write_text(config.replace(old, new))


def test_other_weights_train_every_classifier_that_starts_from_them(finished_run: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(finished_run, tmp_path / "run"))
    change_config(run, "weights: IMAGENET1K_V1", "weights: IMAGENET1K_V2")
    jobs = planned_jobs(snakemake_succeeds(run, "--dry-run", "--quiet", "rules"))
    assert jobs["fetch_backbone"] == 1 and jobs["train_classifier"] == 36 and jobs["test_classifier"] == 6
    assert not {"fetch_chunk", "pack_hdf5", "build_splits"} & set(jobs)


def test_another_normalisation_measures_what_it_needs_and_trains_that_backbone(
    finished_run: Path, tmp_path: Path
) -> None:
    run = Path(shutil.copytree(finished_run, tmp_path / "run"))
    change_config(run, "normalisation: unit # released code: pixels", "normalisation: dataset # pixels")
    jobs = planned_jobs(snakemake_succeeds(run, "--dry-run", "--quiet", "rules"))
    assert (jobs["measure_channels"], jobs["train_classifier"], jobs["test_classifier"]) == (6, 36, 6)
    change_config(run, "normalisation: dataset # pixels", "normalisation: weights # pixels")
    jobs = planned_jobs(snakemake_succeeds(run, "--dry-run", "--quiet", "rules"))
    assert jobs["train_classifier"] == 36 and not {"measure_channels", "fetch_backbone", "digest_experiment"} & set(
        jobs
    )


def test_the_backbone_of_the_architecture_page_trains_nothing_else(finished_run: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(finished_run, tmp_path / "run"))
    section = (REPOSITORY / "docs/architecture.md").read_text(encoding="utf-8").split("## Add a backbone")[1]
    (run / "backbone.yaml").write_text(re.search(r"```yaml\n(.*?)```", section, flags=re.DOTALL)[1])
    plan = ("--dry-run", "--quiet", "rules", "--configfile", str(run / "config.yaml"), str(run / "backbone.yaml"))
    jobs = planned_jobs(snakemake_succeeds(run, *plan))
    assert {jobs[name] for name in ("fetch_backbone", "select_trial", "test_classifier")} == {1}
    assert jobs["train_classifier"] == 3 and not {"pack_hdf5", "build_splits", "digest_experiment"} & set(jobs)


def test_the_documentation_shows_what_the_two_calls_for_a_new_chunk_run(finished_run: Path, tmp_path: Path) -> None:
    """A chunk and its rows arrive: the first call writes its files anew, and of the digests only Large's differ."""
    run = Path(shutil.copytree(finished_run, tmp_path / "run"))
    section = (REPOSITORY / "docs/sources.md").read_text(encoding="utf-8").split("## A new chunk")[1]
    shown = [planned_jobs(block) for block in re.findall(r"```\n(job .*?)```", section, flags=re.DOTALL)]
    (run / "chunks.tsv").write_text("".join(manifest()[:3]))
    change_config(run, "checksum: md5:dec3bb23870a35e2e13bc17a5809c901", "checksum: null")
    first = planned_jobs(snakemake_succeeds(run, "dataset", "--dry-run", "--quiet", "rules"))
    of_dataset = outputs_of_jobs(run, "dataset")
    for name in of_dataset.loc[of_dataset["plan"] == "update pending", "output_file"]:
        (run / name).parent.mkdir(parents=True, exist_ok=True)
        (run / name).write_text("" if re.search(r"/(medium|small)_\w+/data\.digest", name) else "new")
    snakemake_succeeds(run, "dataset", "--touch", "--quiet")
    second = planned_jobs(snakemake_succeeds(run, "--dry-run", "--quiet", "rules"))
    assert [first, second] == shown


@pytest.mark.parametrize(("fragment", "compared"), [("as_released", 4), ("as_today", 0)])
def test_a_config_as_released_and_one_as_of_today_are_planned(full_run: Path, fragment: str, compared: int) -> None:
    (full_run / "chunks.tsv").write_text("".join(manifest()[:2]))
    settings = ("--configfile", str(REPOSITORY / f"config/{fragment}.yaml"))
    jobs = planned_jobs(snakemake_succeeds(full_run, "--dry-run", "--quiet", "rules", *settings))
    assert jobs["train_classifier"] == 72 and jobs.get("train_for_comparison", 0) == compared


SOURCE = {"source": "https://example.org/file", "checksum": None}
IMAGE_SETS = {name: {"images": SOURCE, "annotations": SOURCE} for name in ("trained_on", "evaluated_on")}
CHANGES = {
    "images on which detectors are only evaluated": (
        "all",
        {"detector": {"image_sets": IMAGE_SETS, "training_sets": ["trained_on"], "validation_sets": ["evaluated_on"]}},
    ),
    "photographs for a run without photographs": (
        "predict",
        {"entry": {"from": "cropped_256"}, "inference": {"photographs": {"mine": SOURCE["source"]}}},
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_targets_ask_for_each_job(full_run: Path, change: str) -> None:
    """Else nothing runs it again after it failed, and neither repair nor audit takes its files for those of the run."""
    (full_run / "chunks.tsv").write_text("".join(manifest()[:2]))
    config = yaml.safe_load((full_run / "config.yaml").read_text())
    target, sections = CHANGES[change]
    for section, values in sections.items():
        config[section] |= values
    (full_run / "config.yaml").write_text(yaml.safe_dump(config))
    outputs = outputs_of_jobs(full_run, target)["output_file"]
    (plan,) = (full_run / PLANS).glob("*.json")
    asked_for = {record for record, job in read_plan(plan).jobs.items() if job.in_run}
    assert {path for path in outputs if path.startswith(RECORDS)} <= asked_for


def test_tensorboards_file_is_made_only_where_it_is_asked_for(full_run: Path) -> None:
    events = "results/experiments/small_insect_order/resnet50_ce_seed1/events.tfevents"
    assert "MissingRuleException" in snakemake(full_run, events, "--dry-run").stdout
    change_config(full_run, "tensorboard: false", "tensorboard: true")
    jobs = planned_jobs(snakemake_succeeds(full_run, events, "--dry-run", "--quiet", "rules"))
    assert jobs["train_classifier"] == 1


def test_the_records_of_the_metadata_need_one_job_and_another_description(finished_run: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(finished_run, tmp_path / "run"))
    change_config(run, "jsonld_records: false", "jsonld_records: true")
    jobs = planned_jobs(snakemake_succeeds(run, "dataset", "--dry-run", "--quiet", "rules"))
    assert {name: jobs[name] for name in jobs if name != "total"} == dict.fromkeys(
        ("write_jsonld", "describe_dataset", "dataset"), 1
    )


def test_the_link_to_the_slurm_profile_is_part_of_the_checkout() -> None:
    assert (REPOSITORY / "slurm").is_symlink()
    assert (REPOSITORY / "slurm").resolve() == (REPOSITORY / "profiles/slurm").resolve()
