"""Every command of the README does what it says, in a checkout with a finished run at runs/demo."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from snakemake.utils import update_config

from bioscan1m.plan.configuration import validate_config
from workflow_runs import REPOSITORY, copy_checkout

pytestmark = pytest.mark.workflow

PATH = f"{Path(sys.prefix, 'bin')}:{os.environ['PATH']}"
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """The contents of the README's blocks of code in a language."""
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def commands() -> list[str]:
    """The command lines, in their order, without what continues or comments them."""
    lines = "\n".join(blocks("sh")).replace("\\\n", " ").splitlines()
    return list(dict.fromkeys(re.sub(r"\s+", " ", re.sub(r"\s#.*", "", line)).strip() for line in lines))


# These would fetch terabytes or train for days: they are planned here; tests/slurm runs the same with a small config.
PLANNED = {
    "snakemake all --directory runs/mine --profile profiles/demo --resources gpu=1 downloads=4",
    "snakemake --profile slurm",
    "snakemake --profile slurm dataset",
}
# The demo takes minutes: test_demo.py; `.ci/run` is the tests.
ELSEWHERE = {"make demo", "make test"}
ALL_TARGETS = "dataset detector experiments inference audit all embeddings"
# The commands within the text, and what of them runs here: what takes long is planned, what waits for a reader looks
# once, what needs a cluster says what it can do. The benchmarks run in test_benchmark_suites.py.
IN_THE_TEXT = {
    ". .venv/bin/activate": ". .venv/bin/activate && command -v snakemake",
    "make demo": "make --dry-run demo",
    "make test": "make --dry-run test",
    "make test-slow": "make --dry-run test-slow",
    "make bench": "make --dry-run bench",
    "make bench-gpu": "make --dry-run bench-gpu",
    "make docs": "cp README.md before.md && make docs && cmp before.md README.md",
    "snakemake TARGET --directory runs/demo --profile profiles/demo": (
        f"snakemake {ALL_TARGETS} --directory runs/demo --profile profiles/demo --dry-run"
    ),
    "snakemake -n --quiet rules": "snakemake -n --quiet rules",
    "snakemake experiments": "snakemake experiments --dry-run --config entry='{from: cropped_256}'",
    "pip install s3fs": "pip install --dry-run --no-index s3fs",
    "generate-slurm-partition-config -o profiles/slurm/partitions.yaml": "generate-slurm-partition-config --help",
    "tensorboard --logdir results/experiments": "cd runs/demo && tensorboard --logdir results/experiments --inspect",
    "trace_image.py --picture trace.png": (
        "cd workflow_scripts && python trace_image.py --picture trace.png BIOUG73200-A01.jpg --run ../runs/demo"
    ),
}


def commands_in_the_text() -> set[str]:
    """What stands between backticks, has several words and begins with something that can be run."""
    text = re.sub(r"```.*?```", "", README, flags=re.DOTALL)
    spans = (" ".join(span.split()) for span in re.findall(r"`([^`]+)`", text))
    return {span for span in spans if " " in span and _can_be_run(span.split()[0])}


def _can_be_run(word: str) -> bool:
    scripts = REPOSITORY / "workflow_scripts"
    return word == "." or bool(shutil.which(word, path=PATH)) or (word.endswith(".py") and (scripts / word).exists())


@pytest.fixture(scope="module")
def checkout(small_run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what is committed, beside a home with a user's photographs, labels and a downloaded package."""
    folder = copy_checkout(tmp_path_factory.mktemp("readme") / "bioscan1m")
    shutil.copytree(small_run.folder, folder / "runs/demo", symlinks=True)
    published = "results/metadata/BIOSCAN_Insect_Dataset_metadata.tsv"
    (folder / published).parent.mkdir(parents=True)
    shutil.copy(small_run / published, folder / published)
    make_home(folder.parent, small_run.folder)
    return folder


def make_home(home: Path, run: Path) -> None:
    """Photographs, what they show, and a package from somewhere."""
    (home / "Downloads").mkdir()
    shutil.copy(run / "results/packages/cropped_256.hdf5", home / "Downloads/crops.hdf5")
    (home / "photographs").mkdir()
    shutil.unpack_archive(run / "source/annotated_validation.zip", home / "unpacked")
    rows = ["image_file\torder\tfamily"]
    for number, path in enumerate(sorted((home / "unpacked").rglob("*.jpg"))):
        shutil.move(path, home / "photographs" / path.name)
        order, family = [("Diptera", "Sciaridae"), ("Coleoptera", "Carabidae")][number % 2]
        rows.append(f"{path.name}\t{order}\t{family}")
    (home / "labels.tsv").write_text("\n".join(rows) + "\n")


@pytest.mark.parametrize("command", [command for command in commands() if command not in ELSEWHERE])
def test_the_command_works(checkout: Path, small_run, command: str) -> None:
    if command.startswith("make predict"):  # the run of one's own photographs, once it is finished
        shutil.rmtree(checkout / "runs/mine")
        shutil.copytree(small_run.folder, checkout / "runs/mine", symlinks=True)
    run(checkout, f"{command} --dry-run" if command in PLANNED else command)


@pytest.mark.parametrize("command", IN_THE_TEXT)
def test_the_command_within_the_text_works(checkout: Path, command: str) -> None:
    run(checkout, IN_THE_TEXT[command])


def run(checkout: Path, line: str) -> None:
    """Run a line as a user does who has activated the environment; it succeeds."""
    done = subprocess.run(
        ["bash", "-c", line],
        cwd=checkout,
        env=os.environ | {"PATH": PATH, "HOME": str(checkout.parent)},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:]


def test_no_other_command_is_spoken_of_here() -> None:
    assert set(commands()) >= PLANNED | ELSEWHERE
    assert commands_in_the_text() == set(IN_THE_TEXT)
    assert set(re.findall(r"^ *```(\w+)", README, flags=re.MULTILINE)) == {"mermaid", "python", "sh", "yaml"}


def test_the_table_of_targets_is_that_of_the_test() -> None:
    table = README.partition("| target | what it makes |")[2].partition("\n\n")[0]
    targets = set(re.findall(r"^\| `(\w+)`", table, flags=re.MULTILINE))
    assert targets - {"predict"} == set(ALL_TARGETS.split()) - {"all"}  # `make predict` has photographs


@pytest.mark.parametrize("block", blocks("yaml"))
def test_the_settings_are_allowed(block: str) -> None:
    config = yaml.safe_load((REPOSITORY / "config.yaml").read_text(encoding="utf-8"))
    settings = yaml.safe_load(block)
    update_config(config if set(settings) <= set(config) else config["detector"], settings)
    if config["detector"]["training_sets"]:
        config["detector"]["use"] = config["detector"]["training_sets"][0]
    validate_config(config, REPOSITORY / "rules/schemas/config.schema.yaml")
