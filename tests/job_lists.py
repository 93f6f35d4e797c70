"""Lists of jobs by rule: what a chunk needs, what joins all chunks, what Snakemake would run and what it ran."""

from __future__ import annotations

from pathlib import Path

from workflow_runs import REPOSITORY, planned_jobs, snakemake_succeeds

# What joins all chunks, in the target `dataset`; the digests of the experiments among it say what is trained again.
JOINS_OF_IMAGES = {
    "pack_hdf5": 2,
    "pack_zip": 2,
    "pack_crops": 1,
    "reconcile_images": 1,
    "summarise_boxes": 1,
    "draw_doubtful": 1,
    "describe_dataset": 1,
    "draw_classes": 1,
    "digest_experiment": 3,
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
# The crops of the last chunk are alone in their zip, which is not asked for without it.
WITHOUT_THE_LAST_CHUNK = {rule: jobs for rule, jobs in JOINS_OF_IMAGES.items() if rule != "pack_crops"}
ONE_CHUNK = {"fetch_chunk": 1, "detect_insects": 1, "crop_chunk": 1, "resize_chunk": 2, "join_quarantine": 1}
# What `dataset` makes of three chunks that are there, where the crops, the boxes or the labels become others.
CROPPED_ANEW = {
    "crop_chunk": 3,
    "resize_chunk": 3,
    "join_quarantine": 3,
    "draw_crops": 1,
    "pack_hdf5": 1,
    "pack_zip": 1,
    "pack_crops": 2,
    "describe_dataset": 1,
    "digest_experiment": 3,
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
    "draw_classes": 1,
    "digest_experiment": 3,
    "digest_for_comparison": 2,
    "dataset": 1,
}
# What `all` makes after `dataset`: whatever was changed, and once anything was trained.
ALWAYS = {"seal_records": 1, "export_crate": 1, "all": 1}
JOINS_OF_EXPERIMENTS = {
    "summarise_experiments": 1,
    "form_prediction_sets": 1,
    "roll_up_predictions": 1,
    "find_label_errors": 1,
    "list_unusable_images": 1,
    "render_tables": 1,
    "render_experiments": 1,
}


def planned(run: Path, *targets: str, checkout: Path = REPOSITORY) -> dict[str, int]:
    """Rule -> number of jobs that Snakemake would run; nothing where all is done."""
    return made(run, *targets, "--dry-run", checkout=checkout)


def made(run: Path, *arguments: str, checkout: Path = REPOSITORY) -> dict[str, int]:
    """Rule -> number of jobs that Snakemake runs, by the workflow of any checkout."""
    output = snakemake_succeeds(run, *arguments, "--quiet", "host", checkout=checkout)
    return {rule: jobs for rule, jobs in planned_jobs(output).items() if rule != "total"}


def trained(experiments: int, trainings: int, predicting: int, compared: int = 0) -> dict[str, int]:
    """The jobs of experiments whose images or labels are others, and of packages that are compared on them.

    `predicting` are those of the experiments whose classifiers look at new photographs.
    """
    of_experiment = dict.fromkeys(("select_trial", "test_classifier", "draw_experiment"), experiments)
    of_package = dict.fromkeys(("train_for_comparison", "test_for_comparison"), compared)
    comparison = of_package | {"compare_packages": 1} if compared else {}
    jobs = {"train_classifier": trainings, "embed_images": predicting} | of_experiment | comparison
    return ALWAYS | JOINS_OF_EXPERIMENTS | {rule: count for rule, count in jobs.items() if count}
