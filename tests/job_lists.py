"""Lists of jobs by rule: what a chunk needs, what joins all chunks, what Snakemake would run and what it ran."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from workflow_runs import REPOSITORY, planned_jobs

# What joins all chunks, in the target `dataset`; the digests of the experiments among it say what is trained again.
JOINS_OF_IMAGES = {
    "pack_hdf5": 2,
    "pack_zip": 2,
    "pack_crops": 1,
    "reconcile_images": 1,
    "summarise_boxes": 1,
    "draw_doubtful": 1,
    "describe_dataset": 1,
    "digest_experiment": 6,
    "digest_for_comparison": 2,
    "dataset": 1,
}
JOINS_OF_METADATA = {
    "validate_metadata": 1,
    "build_splits": 1,
    "join_metadata": 1,
    "write_parquet": 1,
    "summarise_dataset": 1,
}
ONE_CHUNK = {"fetch_chunk": 1, "detect_insects": 1, "crop_chunk": 1, "resize_chunk": 2, "join_quarantine": 1}
CROPPED_ANEW = {
    "crop_chunk": 3,
    "resize_chunk": 3,
    "join_quarantine": 3,
    "draw_crops": 1,
    "pack_hdf5": 1,
    "pack_zip": 1,
    "pack_crops": 2,
    "describe_dataset": 1,
    "digest_experiment": 6,
    "digest_for_comparison": 1,
    "dataset": 1,
}
DETECTED_ANEW = CROPPED_ANEW | {
    "fine_tune_detector": 1,
    "detect_insects": 3,
    "summarise_boxes": 1,
    "draw_doubtful": 1,
    "reconcile_images": 1,
}
LABELLED_ANEW = {
    "fetch_metadata": 1,
    **JOINS_OF_METADATA,
    "reconcile_images": 1,
    "describe_dataset": 1,
    "digest_experiment": 6,
    "digest_for_comparison": 2,
    "dataset": 1,
}
WITHOUT_THE_LAST_CHUNK = {rule: jobs for rule, jobs in JOINS_OF_IMAGES.items() if rule != "pack_crops"}


def planned(run: Path, *targets: str, checkout: Path = REPOSITORY) -> dict[str, int]:
    """Rule -> number of jobs that Snakemake would run; nothing where all is done."""
    return made(run, *targets, "--dry-run", checkout=checkout)


def made(run: Path, *arguments: str, checkout: Path = REPOSITORY) -> dict[str, int]:
    """Rule -> number of jobs that Snakemake runs, by the workflow of any checkout."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", "Snakefile", "--directory", str(run)]
    done = subprocess.run(
        [*command, "--profile", "profiles/demo", *arguments, "--quiet", "host"],
        cwd=checkout,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:]
    return {rule: jobs for rule, jobs in planned_jobs(done.stdout).items() if rule != "total"}
