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
    line = f"{command} --dry-run" if command in PLANNED else command
    path = f"{Path(sys.prefix, 'bin')}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", line],
        cwd=checkout,
        env=os.environ | {"PATH": path, "HOME": str(checkout.parent)},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:]


def test_no_other_command_is_spoken_of_here() -> None:
    assert set(commands()) >= PLANNED | ELSEWHERE


@pytest.mark.parametrize("block", blocks("yaml"))
def test_the_settings_are_allowed(block: str) -> None:
    config = yaml.safe_load((REPOSITORY / "config.yaml").read_text(encoding="utf-8"))
    settings = yaml.safe_load(block)
    update_config(config if set(settings) <= set(config) else config["detector"], settings)
    if config["detector"]["training_sets"]:
        config["detector"]["use"] = config["detector"]["training_sets"][0]
    validate_config(config, REPOSITORY / "rules/schemas/config.schema.yaml")
