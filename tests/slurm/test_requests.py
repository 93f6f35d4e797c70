"""What the full run asks a cluster for, to the letter, with stand-ins for SLURM's commands in place of a cluster."""

from __future__ import annotations

import math
import re
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest
import stand_in_slurm
import yaml
from slurm_runs import adapt_profile, succeeds_on_the_cluster

from workflow_runs import EXPERIMENT, REPOSITORY, write_config

pytestmark = pytest.mark.workflow

PARTITIONS = {
    "cpu": {"max_runtime": 10_080, "max_threads": 64, "max_mem_mb": 512_000, "max_gpu": 0},
    "gpu": {"max_runtime": 10_080, "max_threads": 64, "max_mem_mb": 512_000, "max_gpu": 4},
}
# Minutes, megabytes and cores of the full config. Minutes and megabytes grow with the attempt, GPU and cores do not.
GPU_REQUESTS = {
    "fine_tune_detector": (180, 32_000, 4),
    "evaluate_detector": (60, 16_000, 10),
    "detect_insects": (60, 16_000, 10),
    "train_classifier": (1_440, 32_000, 5),
    "test_classifier": (120, 32_000, 5),
    "test_released": (120, 32_000, 5),
    "train_for_comparison": (1_440, 32_000, 5),
    "test_for_comparison": (120, 32_000, 5),
    "embed_images": (240, 64_000, 5),
    "detect_on_photographs": (60, 16_000, 10),
    "predict_photographs": (120, 32_000, 5),
}
GO_ON = {"fine_tune_detector", "train_classifier", "train_for_comparison"}  # from their state: the minutes do not grow
TRAINED_BY_PROCESSES = {"train_classifier", "train_for_comparison"}  # whose GPUs have to be of one node
FETCH_RULES = {
    "fetch_chunk",
    "fetch_metadata",
    "fetch_annotations",
    "fetch_annotated_images",
    "fetch_checkpoint",
    "fetch_detector",
    "fetch_backbone",
    "fetch_photographs",
    "fetch_released",
}


def lay_out_sources(run: Path, longest_job_hours: int | None) -> None:
    """The full config on one chunk, with a detector to fine-tune and new photographs; every source is a file here."""
    with zipfile.ZipFile(run / "photographs.zip", "w") as archive:
        archive.writestr("well.jpg", b"pixels")
    for name in ("boxes.json", "metadata.tsv", "detector.ckpt", "weights/config.json", "weights/model.safetensors"):
        (run / name).parent.mkdir(exist_ok=True)
        (run / name).write_text("{}")
    (run / "chunks.tsv").write_text("chunk\tsource\tbytes\tchecksum\n1\tphotographs.zip\t\t\n")
    config = yaml.safe_load((REPOSITORY / "config.yaml").read_text())
    photographs, boxes = ({"source": name, "checksum": None} for name in ("photographs.zip", "boxes.json"))
    config["longest_job_hours"] = longest_job_hours
    config["classifier"]["training"]["processes"] = 2 if longest_job_hours else 1
    config["metadata"] = {"source": "metadata.tsv", "checksum": None}
    detector, classifier = config["detector"], config["classifier"]
    detector |= {"training_sets": ["wells"], "validation_sets": ["wells"]}
    detector["image_sets"] = {"wells": {"images": photographs, "annotations": boxes}}
    detector["checkpoints"]["released"]["source"] = "detector.ckpt"
    detector["fine_tuning"]["base"] = classifier["backbones"]["resnet50"]["weights"] = "./weights"
    classifier |= {"trials": {EXPERIMENT: ["resnet50_ce"]}, "seeds": {EXPERIMENT: [1]}}
    released = {"experiment": EXPERIMENT, "backbone": "resnet50", "source": "detector.ckpt", "checksum": None}
    classifier["checkpoints"] = {"authors": released}
    classifier["original_vs_cropped"] |= {"enabled": True, "experiments": {EXPERIMENT: {}}}
    config["inference"] |= {"experiments": [EXPERIMENT], "photographs": {"mine": "photographs.zip"}}
    write_config(run, config)


def set_resources(site: Path, **resources: dict[str, str]) -> None:
    """Give rules these resources in the profile, as docs/cluster.md has it."""
    profile = site / "slurm/profile.yaml"
    settings = yaml.safe_load(profile.read_text()) | {"set-resources": resources}
    profile.write_text(yaml.safe_dump(settings, sort_keys=False))


def outputs_by_rule(run: Path) -> dict[str, list[str]]:
    """The outputs of every rule, as Snakemake's own summary lists them."""
    targets = ("all", "audit", "predict", "embeddings")
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(REPOSITORY / "Snakefile"), "--directory", str(run)]
    summary = subprocess.run([*command, "--summary", *targets], text=True, capture_output=True, check=True).stdout
    outputs: dict[str, list[str]] = {}
    for line in summary.splitlines()[1:]:
        path, _, rule, *_ = line.split("\t")
        outputs.setdefault(rule, []).append(path)
    return outputs


def benchmarks(outputs: list[str]) -> list[str]:
    """The benchmarks of jobs, which Snakemake expects as well: named as the records of the jobs."""
    records = "results/provenance/records/"
    return [f"benchmarks/{path.removeprefix(records)}l" for path in outputs if path.startswith(records)]


@dataclass(frozen=True)
class StandInRun:
    """A run through the stand-ins: its folder, the outputs of its rules, and the requests by rule and attempt."""

    longest_job: float  # minutes
    folder: Path
    outputs: dict[str, list[str]]
    requests: dict[str, list[str]]


@pytest.fixture(scope="module", params=[None, 2], ids=["any time", "jobs of two hours"])
def stand_in_run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> StandInRun:
    """All fetching, for real, and all jobs on a GPU; what lies between them is laid out as empty files."""
    folder = tmp_path_factory.mktemp("requests")
    run, site = folder / "run", folder / "site"
    run.mkdir()
    lay_out_sources(run, request.param)
    outputs = outputs_by_rule(run)
    rules = sorted(GPU_REQUESTS.keys() | FETCH_RULES)
    for path in (run / path for rule in outputs.keys() - rules for path in outputs[rule]):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    partitions = site / "slurm/partitions.yaml"
    adapt_profile(site, **{"slurm-partition-config": str(partitions), "slurm-init-seconds-before-status-checks": 1})
    partitions.write_text(yaml.safe_dump({"partitions": PARTITIONS}))
    files = {rule: outputs[rule] + benchmarks(outputs[rule]) for rule in GPU_REQUESTS}
    environment = stand_in_slurm.install(folder / "commands", files)
    if request.param:
        set_resources(site, train_classifier={"gpu_model": "a100", "slurm_extra": "'--signal=TERM@120'"})
    targets = [path for rule in rules for path in outputs[rule]]
    succeeds_on_the_cluster(site, run, *targets, "--allowed-rules", *rules, environment=environment)
    return StandInRun(60 * (request.param or math.inf), run, outputs, stand_in_slurm.requests(folder / "commands"))


def test_gpu_rules_ask_for_a_gpu_its_partition_and_more_at_the_second_attempt(stand_in_run: StandInRun) -> None:
    def request(rule: str, attempt: int) -> str:
        minutes, megabytes, cores = GPU_REQUESTS[rule]
        minutes = min(minutes * (1 if rule in GO_ON else attempt), stand_in_run.longest_job)
        nodes, more, gpus = "", "", "1"
        if rule in TRAINED_BY_PROCESSES:
            nodes = " --nodes=1"
            if stand_in_run.longest_job < math.inf:  # with two processes, and a profile for the first rule
                cores, gpus = 2 * cores, "2"
        if rule == "train_classifier" and gpus == "2":
            more, gpus = " --signal=TERM@120", "a100:2"
        return f"-p gpu -t {minutes} --mem {megabytes * attempt}{nodes} --cpus-per-task={cores}{more} --gpus={gpus}"

    assert stand_in_run.requests == {rule: [request(rule, 1), request(rule, 2)] for rule in GPU_REQUESTS}


def test_fetching_asks_the_cluster_for_nothing(stand_in_run: StandInRun) -> None:
    assert {rule for rule in stand_in_run.outputs if rule.startswith("fetch")} == FETCH_RULES
    assert not FETCH_RULES & stand_in_run.requests.keys()
    for path in (path for rule in FETCH_RULES for path in stand_in_run.outputs[rule]):
        assert (stand_in_run.folder / path).stat().st_size > 0, path


def test_no_other_rule_asks_for_a_gpu() -> None:
    rules = "".join(path.read_text() for path in sorted((REPOSITORY / "rules").glob("*.smk")))
    asking: set[str] = set()
    for block in re.split(r"^(?=(?:use )?rule )", rules, flags=re.MULTILINE):
        rule = re.match(r"(?:use rule (?P<base>\w+) as|rule) (?P<name>\w+)", block)
        if rule and ("gpu=" in block or rule["base"] in asking):
            asking.add(rule["name"])
    assert asking - {"compute_features"} == GPU_REQUESTS.keys()  # only with `freeze: trunk`


def test_the_profile_of_a_site_has_what_it_would_replace_otherwise() -> None:
    general, site = (
        yaml.safe_load((REPOSITORY / f"profiles/{name}/profile.yaml").read_text()) for name in ("slurm", "site-example")
    )
    assert site.keys() <= general.keys()
    for key in site:
        assert site[key].items() >= general[key].items()
