"""The config and the manifest, checked; and what the rules derive from them.

NEEDS  config.yaml, chunks.tsv
MAKES  PLAN, which knows the values of every wildcard, and small functions that rules name in place of lambdas
"""

import csv
import gc
import re
import sys
from collections.abc import Callable, Iterable
from inspect import signature
from pathlib import Path
from typing import Any

from snakemake.exceptions import WorkflowError
from snakemake.iocontainers import Wildcards

if workflow.storage_settings.default_storage_provider is not None:
    raise WorkflowError(
        "This workflow has its files in the working directory, where its records name them: leave out "
        "--default-storage-provider, and give a storage that is mounted here as the working directory."
    )
if any(workflow.modifier.path_modifier.replace_prefix(folder) != folder for folder in ("data/", "results/")):
    raise WorkflowError(
        "This workflow finds its records by their paths below the working directory, so a module of it takes no `prefix` "
        "or `replace_prefix` for data/ and results/: leave it out, or run the workflow in a directory apart."
    )

RULES = Path(workflow.current_basedir.get_path_or_uri(secret_free=True))
sys.path.insert(0, str(RULES.parent / "workflow_scripts"))

from bioscan1m.jobs.code_digest import code_digest
from bioscan1m.plan.configuration import previous_releases, validate_config
from bioscan1m.foundation.errors import InputError, shortened
from bioscan1m.fetch.image_folders import with_local_state
from bioscan1m.metadata.split_settings import TOGETHER
from bioscan1m.plan.manifest import read_manifest
from bioscan1m.plan.recorded_parameters import recorded_parameters, recorded_resize
from bioscan1m.plan.repeated_keys import refuse_repeated_keys
from bioscan1m.plan.run import CROPPED_256, CROPS, ORIGINALS, PACKAGES, Plan
from bioscan1m.foundation.sources import local_source

# A plan keeps nearly all of its millions of objects: to look for garbage among them took a tenth of its time.
gc.set_threshold(100_000, 20, 20)

try:
    for file in workflow.configfiles:
        refuse_repeated_keys(file)
    validate_config(config, RULES / "schemas/config.schema.yaml")
    ENTRY = config["entry"]["from"]
    PLAN = Plan(config, read_manifest(config["chunks"]) if ENTRY == ORIGINALS else config["entry"][ENTRY])
except InputError as error:
    raise WorkflowError(shortened(error)) from None


wildcard_constraints:
    chunk=r"[\w-]+(?:/part\d+)?",  # the parts are those of a large folder of photographs
    group=r"[A-Za-z0-9_-]+",
    package="|".join(PACKAGES),
    experiment=r"[A-Za-z0-9_.-]+",
    backbone="|".join(map(re.escape, PLAN.backbones)),
    loss="|".join(map(re.escape, PLAN.losses)),
    seed=r"\d+",
    detector=r"[A-Za-z0-9_.+-]+",
    image_set=r"[A-Za-z0-9_.-]+",
    checkpoint=r"[A-Za-z0-9_.-]+",


RECORD = "results/provenance/records"
PACKAGE = config["classifier"]["package"]
# No parameter where nothing is stated, so that a run made before the key was there is as it was.
READING = {"images": config["images"]} if any(v is not None for v in config.get("images", {}).values()) else {}
PAPER = {} if config.get("paper_figures", True) else {"paper_figures": False}
LONGEST_JOB = config.get("longest_job_hours")
# Where jobs are short, a training takes many, as long as each saves a state; else as many as the profile allows. Only the
# head tries again: the Snakemake within a job knows the retries of a rule too, and would use up the job's last minutes.
TRAINING_RETRIES = 50 if LONGEST_JOB and workflow.is_main_process else None
UNMAPPED = {"missing": None, "map": {}}
RELABELLING = {"relabelling": config["labels"]} if config.get("labels", UNMAPPED) != UNMAPPED else {}


def each(pattern: str, combinations: Iterable[dict[str, str]]) -> list[str]:
    """One path per combination of wildcards, such as those of PLAN.comparisons."""
    return [pattern.format(**wildcards) for wildcards in combinations]


def of_trials(pattern: str, experiments: Iterable[str] = PLAN.experiments) -> list[str]:
    """One path per training of these experiments."""
    return each(pattern, (vars(trial) for trial in PLAN.trials if trial.experiment in experiments))


def only_if(condition: object, *files: str) -> list[str]:
    """What there is only under a condition, such as boxes and crops where the run starts from photographs."""
    return list(files) if condition else []


def only(settings: dict[str, Any], *names: str) -> dict[str, Any]:
    """The settings of these names, in this order."""
    return {name: settings[name] for name in names}


def signed(function: Callable) -> Callable:
    """A function that carries its signature, which Snakemake otherwise computes for each job: 9,000 times a plan."""
    function.__signature__ = signature(function)
    return function


def per_attempt(**amounts: int) -> dict[str, Callable]:
    """Resources that grow with each attempt, so that a job killed for want of one gets more the next time."""

    def growing(name, amount):
        return signed(lambda wildcards, attempt: at_most(name, amount * attempt))

    return {name: growing(name, amount) for name, amount in amounts.items()}


def per_attempt_of_training(runtime: int, **amounts: int) -> dict[str, Any]:
    """As per_attempt, but with the same time for each attempt, which goes on from the state that the last one left."""
    return {
        **per_attempt(**amounts),
        "runtime": at_most("runtime", runtime),
        "attempt": signed(lambda wildcards, attempt: attempt),
    }


def at_most(resource: str, amount: int) -> int:
    """An amount of a resource, in minutes the longest that a job may take on this cluster (longest_job_hours)."""
    return min(amount, 60 * LONGEST_JOB) if resource == "runtime" and LONGEST_JOB else amount


def unwatched(*inputs: str, **values: Any) -> dict[str, Callable]:
    """What is no reason to run a job again: inputs that are ancient, and parameters, such as the timeout of a download.

    Snakemake does not compare functions of the output. The job's record needs the names of both as two more parameters.
    """

    def not_compared(value):
        return signed(lambda wildcards, output: value(wildcards) if callable(value) else value)

    lists = {"ancient": list(inputs), "unwatched": list(values)}
    return {name: not_compared(value) for name, value in (values | lists).items()}


def in_report(file: str, part: str, group: str | None = None, caption: str | None = None, **labels: str) -> Any:
    """A file that the report shows with these labels, and with the caption of this name or of the file's."""
    first_group = {"1 Detector": "All detectors", "4 Experiments": "All experiments"}.get(part)
    caption = f"captions/{caption or Path(file).stem}.rst"
    return report(file, category=part, subcategory=group or first_group, caption=caption, labels=labels)


def figure_of_experiment(name: str, result: str) -> Any:
    """A figure of one experiment, which the report shows beside its others."""
    return in_report(f"results/figures/{{experiment}}/{name}.png", "4 Experiments", group="{experiment}", result=result)


def tables_of_report(rule: str) -> list[dict[str, str]]:
    """The rows of report_tables.tsv that a rule renders, without tables that this run does not make."""
    made = PLAN.made_of | {"always": True}
    with (RULES / "report_tables.tsv").open(encoding="utf-8") as file:
        return [row for row in csv.DictReader(file, delimiter="\t") if row["rule"] == rule and made[row["made"]]]


def records(*names: str, **values: Iterable[str]) -> list[str]:
    """The records of all jobs of these rules, whose wildcards have these values."""
    return collect([getattr(rules, name).output.record for name in names], **values)


def records_of_image_sets(image_sets: list[str]) -> list[str]:
    """Of the annotated images, and of their boxes."""
    return records("fetch_annotated_images", "fetch_annotations", "clean_annotations", image_set=image_sets)


def records_of_detectors(detectors: list[str]) -> list[str]:
    """Of those that are trained, with their images, and of those that are imported."""
    trained = [name for name in detectors if name in PLAN.trained_detectors]
    imported = [name for name in detectors if name not in PLAN.trained_detectors]
    return [
        *records_of_image_sets(PLAN.image_sets_of(trained)),
        *only_if(trained, *records("fetch_detector")),
        *records("fine_tune_detector", detector=trained),
        *records("fetch_checkpoint", "import_detector", detector=imported),
    ]


def records_of_packages(packages: Iterable[str]) -> list[str]:
    """Of the chunks, of the boxes and crops where there are any, and of what is made of them."""
    cropped = PLAN.from_originals and "cropped_256" in packages
    resized = [name for name in packages if name in PLAN.resized_packages]
    return [
        *records("fetch_chunk", chunk=PLAN.chunks),
        *only_if(cropped, *records_of_detectors([config["detector"]["use"]])),
        *records("detect_insects", "crop_chunk", chunk=only_if(cropped, *PLAN.chunks)),
        *records("resize_chunk", chunk=PLAN.chunks, package=resized),
        *records("pack_hdf5", package=packages),
    ]
