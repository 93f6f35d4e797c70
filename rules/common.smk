"""The config and the manifest, checked; and what the rules derive from them.

NEEDS  config.yaml, chunks.tsv
MAKES  PLAN, which knows the values of every wildcard, and small functions that rules name in place of lambdas
"""

import gc
import re
import sys
from inspect import signature
from pathlib import Path

from snakemake.exceptions import WorkflowError

RULES = Path(workflow.current_basedir.get_path_or_uri(secret_free=True))
sys.path.insert(0, str(RULES.parent / "workflow_scripts"))

from bioscan1m.provenance.code_digest import code_digest
from bioscan1m.plan.configuration import previous_releases, validate_config
from bioscan1m.errors import InputError
from bioscan1m.fetch.image_folders import listing_digest
from bioscan1m.plan.manifest import read_manifest
from bioscan1m.plan.plan import CROPPED_256, CROPS, ORIGINALS, PACKAGES, Plan
from bioscan1m.fetch.sources import local_path

# A plan keeps nearly all of the millions of objects that it makes. To look for garbage among them as often as Python
# does takes a tenth of the time of planning.
gc.set_threshold(100_000, 20, 20)

try:
    validate_config(config, RULES / "schemas/config.schema.yaml")
    ENTRY = config["entry"]["from"]
    if ENTRY == ORIGINALS:
        PLAN = Plan(config, read_manifest(config["chunks"]))
    else:
        PLAN = Plan(config, config["entry"][ENTRY])
except InputError as error:
    raise WorkflowError(str(error)) from None


wildcard_constraints:
    chunk=r"[A-Za-z0-9_-]+",
    group=r"[A-Za-z0-9_-]+",
    package="|".join(PACKAGES),
    experiment=r"[A-Za-z0-9_.-]+",
    backbone="|".join(map(re.escape, PLAN.backbones)),
    loss="|".join(map(re.escape, PLAN.losses)),
    seed=r"\d+",
    detector=r"[A-Za-z0-9_.+-]+",
    image_set=r"[A-Za-z0-9_.-]+",
    checkpoint=r"[A-Za-z0-9_.-]+",


# The parts of the report, in the order of the data, and the groups that come first in two of them.
DETECTOR_PART, CROPS_PART, DATASET_PART = "1 Detector", "2 Crops", "3 Dataset"
EXPERIMENTS_PART, PROVENANCE_PART = "4 Experiments", "5 Provenance"
ALL_DETECTORS, ALL_EXPERIMENTS = "All detectors", "All experiments"


def from_originals(*files):
    """What exists only where the run starts from photographs: boxes, crops, and what is drawn of them."""
    return list(files) if PLAN.from_originals else []


FETCH = {name: config["fetch"][name] for name in ("attempts", "timeout")}
SOURCE = {
    ORIGINALS: "data/chunks/bioscan_images_original_full_part{chunk}.zip",
    CROPS: "data/packages/bioscan_images_cropped_full_part{chunk}.zip",
    CROPPED_256: "data/packages/cropped_256_part{chunk}.zip",
}
CHUNK = SOURCE[ENTRY]
DETECTOR = "results/detector/{detector}"
CROPPING_DETECTOR = DETECTOR.format(detector=config["detector"]["use"])
CROPPED = "results/cropped/bioscan_images_cropped_full_part{chunk}.zip"
IMAGES_OF_PACKAGE = {
    "original_256": CHUNK,
    "cropped_256": CROPPED if PLAN.from_originals else CHUNK,
}
ANNOTATIONS = "results/annotations/{image_set}.json"
# Of the config's detection: what decides which box is found, and what only decides how fast.
DETECTION = {
    name: config["detector"]["detection"][name]
    for name in ("image_size", "precision", "score_threshold", "below_threshold")
}
DETECTION_MACHINE = {
    name: config["detector"]["detection"][name] for name in ("batch_size", "threads")
}
DETECTION_THREADS = max(
    config["detector"]["detection"][name] for name in ("threads", "decoders")
)
SHARD = "results/shards/{package}/part{chunk}.zip"
QUARANTINE_STAGES = (*from_originals("detect", "crop"), *PLAN.resized_packages)
METADATA = "results/metadata/BIOSCAN_Insect_Dataset_metadata.tsv"
METADATA_PARQUET = "results/metadata/BIOSCAN_Insect_Dataset_metadata.parquet"
SPLIT = "results/splits/{experiment}.parquet"
CLASSIFIER_PACKAGE = f"results/packages/{config['classifier']['package']}.hdf5"
TRIAL = "results/experiments/{experiment}/{backbone}_{loss}_seed{seed}"
EVENTS = [f"{TRIAL}/events.tfevents"] if config["classifier"]["tensorboard"] else []
COMPARED = "results/original_vs_cropped/{experiment}/{package}"
RELEASED = "results/released/{experiment}/{checkpoint}"
RELEASED_TABLES = ["results/summary/released.tsv"] if PLAN.released else []
COMPARISON_TABLES = (
    ["results/summary/original_vs_cropped.tsv"] if PLAN.comparisons else []
)
RECORD = "results/provenance/records"


def losses_of_resizing():
    """The images that could not be resized."""
    table = "results/quarantine/{package}/part{chunk}.tsv"
    return collect(table, package=PLAN.resized_packages, chunk=PLAN.chunks)


def shards_of(package):
    """The zips of 256-pixel images that a package joins: one of each chunk, or those that the run starts from."""
    return collect(
        SHARD if PLAN.resized_packages else CHUNK, chunk=PLAN.chunks, package=package
    )


def shards_of_package(wildcards):
    """The same, for a rule whose package is a wildcard."""
    return shards_of(wildcards.package)


def signed(function):
    """A function that carries its signature, which Snakemake otherwise computes for each job: 9,000 times a plan."""
    function.__signature__ = signature(function)
    return function


def per_attempt(amount):
    """A resource that grows with each attempt, so that a job killed for want of it gets more the next time."""

    def of_attempt(wildcards, attempt):
        return amount * attempt

    return signed(of_attempt)


def unwatched(value):
    """A parameter that is no reason to run a job again: another timeout must not fetch 2.3 TB once more.

    It may be a function of the wildcards. Snakemake does not compare parameters that are functions of the output.
    """

    def of_output(wildcards, output):
        return value(wildcards) if callable(value) else value

    of_output.unwatched = True
    return signed(of_output)


def unfinished(wildcards, output):
    """Where a training keeps its state until it is done: beside its model, and no output, for Snakemake removes those."""
    return f"{output.model}.unfinished"


def local_source(source):
    """The file on this machine that a source means, so that a change of it is noticed; nothing for other sources.

    A folder is not watched: its images are fetched once.
    """
    path = local_path(source["source"])
    return [] if path is None or path.is_dir() else [str(path)]


def with_size(source):
    """A source, with the bytes that it has on this machine, if it is here: an older file in its place is noticed by them."""
    path = local_path(source["source"])
    here = path is not None and path.is_file()
    return source | {"local_bytes": path.stat().st_size} if here else source


def of_trials(pattern, experiments=None):
    """One path per training, of all experiments or of those named."""
    return [
        pattern.format(**vars(trial))
        for trial in PLAN.trials
        if experiments is None or trial.experiment in experiments
    ]


def of_comparisons(pattern):
    """One path per training that sets photographs against crops, if the config asks for them."""
    return [
        pattern.format(experiment=experiment, package=package)
        for experiment, package in PLAN.comparisons
    ]


def of_evaluations(pattern):
    """One path per detector and validation set."""
    return [
        pattern.format(detector=detector, image_set=image_set)
        for detector, image_set in PLAN.detector_evaluations
    ]


def of_released(pattern):
    """One path per released classifier that is tested."""
    return [pattern.format(**released) for released in PLAN.released]


def annotated(pattern):
    """The files of the image sets that a training set joins with +."""

    def of_detector(wildcards):
        return collect(pattern, image_set=PLAN.image_sets(wildcards.detector))

    return of_detector


def images_to_resize(wildcards):
    """The zip of a chunk that a package is made from."""
    return IMAGES_OF_PACKAGE[wildcards.package].format(chunk=wildcards.chunk)


def photographs_of_folder(wildcards):
    """A digest of the list of photographs in a folder, so that a new one is noticed; nothing for a zip."""
    path = local_path(PLAN.photographs[wildcards.chunk]["source"])
    return listing_digest(path) if path is not None and path.is_dir() else None


def photographs_to_resize(wildcards):
    """The zip of new photographs that a package is made from: as they are, or the insects cut out of them."""
    zips = {"original_256": "photographs.zip", "cropped_256": "cropped.zip"}
    source = zips[wildcards.package]
    return f"results/predictions/{wildcards.chunk}/{source}"


def where_cropped(paths):
    """Files on boxes and crops, which there are only where the classifiers see crops."""
    return paths if config["classifier"]["package"] == "cropped_256" else []


def monitored(pattern):
    """A file of the image set that is measured after each epoch of the detector's training, if any."""
    image_set = config["detector"]["fine_tuning"]["monitor"]
    return [] if image_set is None else [pattern.format(image_set=image_set)]


def crops_of_group(wildcards):
    """The cropped zips that one published zip joins."""
    return collect(CROPPED, chunk=PLAN.groups[wildcards.group])


def records(*names, **values):
    """The records of all jobs of these rules, whose wildcards have these values."""
    return collect([getattr(rules, name).output.record for name in names], **values)


def records_of_detectors(detectors):
    """Of those that are trained, with their images, and of those that are imported."""
    trained = [name for name in detectors if name in PLAN.trained_detectors]
    imported = [name for name in detectors if name not in PLAN.trained_detectors]
    images = ("fetch_annotated_images", "fetch_annotations", "clean_annotations")
    return [
        *records(*images, image_set=PLAN.image_sets_of(trained)),
        *(records("fetch_detector") if trained else []),
        *records("fine_tune_detector", detector=trained),
        *records("fetch_checkpoint", "import_detector", detector=imported),
    ]


def records_of_packages(packages):
    """Of the chunks, of the boxes and crops where there are any, and of what is made of them."""
    cropped = PLAN.from_originals and "cropped_256" in packages
    resized = [package for package in packages if package in PLAN.resized_packages]
    return [
        *records("fetch_chunk", chunk=PLAN.chunks),
        *(records_of_detectors([config["detector"]["use"]]) if cropped else []),
        *records("detect_insects", "crop_chunk", chunk=PLAN.chunks if cropped else []),
        *records("resize_chunk", chunk=PLAN.chunks, package=resized),
        *records("pack_hdf5", package=packages),
    ]
