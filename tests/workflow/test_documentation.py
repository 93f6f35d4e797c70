"""Every command of README and docs/ works in a checkout with a finished run at runs/demo; each file named exists."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest
import yaml
from snakemake.utils import update_config

from bioscan1m.foundation.tsv import write_rows
from bioscan1m.plan.configuration import validate_config
from workflow_runs import REPOSITORY, copy_checkout

pytestmark = pytest.mark.workflow

PATH = f"{Path(sys.prefix, 'bin')}:{os.environ['PATH']}"
# The README first, because its commands make what those of the other pages use.
PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md")), REPOSITORY / "CONTRIBUTING.md"]
TEXTS = {str(page.relative_to(REPOSITORY)): page.read_text(encoding="utf-8") for page in PAGES}
LONGEST_README = 220  # lines


def blocks(language: str, texts: Iterable[str] = TEXTS.values()) -> list[str]:
    """The contents of the blocks of code in a language."""
    return [block for text in texts for block in re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)]


def outside_of_blocks(text: str) -> str:
    """A page without its blocks of code."""
    return re.sub(r"```.*?```", "", text, flags=re.DOTALL)


def code_spans() -> set[str]:
    """What stands between backticks in the text of any page."""
    texts = map(outside_of_blocks, TEXTS.values())
    return {" ".join(span.split()) for text in texts for span in re.findall(r"`([^`]+)`", text)}


def commands() -> list[str]:
    """The command lines, in their order, without what continues or comments them."""
    lines = "\n".join(blocks("sh")).replace("\\\n", " ").splitlines()
    return list(dict.fromkeys(re.sub(r"\s+", " ", re.sub(r"\s#.*", "", line)).strip() for line in lines))


# These would fetch terabytes or train for long: they are planned here; tests/slurm runs the same with a small config.
PLANNED = {
    "snakemake experiments --directory runs/laptop --profile profiles/demo",
    "snakemake all --directory runs/mine --profile profiles/demo --resources gpu=1 downloads=4",
    "snakemake --profile slurm",
    "snakemake --profile slurm --workflow-profile site",
    "snakemake --profile slurm dataset",
    'snakemake predict --directory runs/mine --profile slurm --config "inference={photographs: '
    '$(python workflow_scripts/name_photographs.py ~/photographs)}"',
}
# The demo takes minutes: test_demo.py; `.ci/run` is the tests.
ELSEWHERE = {
    *("make demo", "make test"),
    "srun --gpus=1 --time=10 .venv/bin/python workflow_scripts/preflight.py --gpu",  # test_preflight.py
    'sbatch --job-name=bioscan1m --time=7-0 --cpus-per-task=2 --mem=8G --wrap "snakemake --profile slurm '
    '--workflow-profile site"',  # test_places.py
    "mksquashfs .venv/ venv.squashfs -comp zstd -Xcompression-level 6",  # test_profiles.py, with a small environment
    "sh profiles/site/unpack_environment.sh venv.squashfs /tmp/bioscan1m",
    "/tmp/bioscan1m/bin/python -m snakemake --profile slurm --workflow-profile site",
    *(f"make demo TORCH{choice}" for choice in ("_INDEX=ADDRESS", "=cpu TORCH_INDEX=ADDRESS", "=cuda")),
    *("make demo TORCH=cuda TORCH_INDEX=ADDRESS", "make lock", "make lock TORCH_INDEX=ADDRESS"),
}
# Named, but not part of a checkout: what users make of it.
NOT_COMMITTED = {"profiles/site/profile.yaml", "config/mine.yaml"}
ALL_TARGETS = "dataset detector splits experiments inference audit all embeddings"
# The commands within the text, and what of them runs here: what takes long is planned, what waits for a reader looks
# once, what needs a cluster says what it can do. The benchmarks run in test_benchmark_suites.py.
IN_THE_TEXT = {
    ". .venv/bin/activate": ". .venv/bin/activate && command -v snakemake",
    "make demo": "make --dry-run demo",
    "make test": "make --dry-run test",
    "pip install .": "uv build --quiet --wheel --out-dir ../wheel .",
    "make test-slow": "make --dry-run test-slow",
    "make bench": "make --dry-run bench",
    "make bench-gpu": "make --dry-run bench-gpu",
    "make lint": "make --dry-run lint",
    "make trace": "make --dry-run trace",
    "make predict": "make --dry-run predict IMAGES=~/photographs",
    "make PYTHON=python3.12 demo": "make --dry-run PYTHON=python3.12 demo",
    "make test-lowest": "make --dry-run test-lowest",
    "make lock UPGRADE=--upgrade": "make --dry-run lock UPGRADE=--upgrade",
    "make format": "make --dry-run format",
    "make docs": "cp docs/configuration.md before.md && make docs && cmp before.md docs/configuration.md",
    "snakemake TARGET --directory runs/demo --profile profiles/demo": (
        f"snakemake {ALL_TARGETS} --directory runs/demo --profile profiles/demo --dry-run"
    ),
    "snakemake -n": "snakemake -n",
    "snakemake -n --quiet rules": "snakemake -n --quiet rules",
    "snakemake --profile slurm": "snakemake --profile slurm --dry-run",
    "snakemake --profile slurm dataset": "snakemake --profile slurm dataset --dry-run",
    "snakemake experiments": "snakemake experiments --dry-run --config entry='{from: cropped_256}'",
    "pip install s3fs": "pip install --dry-run --no-index s3fs",
    "python workflow_scripts/accept_update.py runs/demo": "python workflow_scripts/accept_update.py runs/demo",
    "tensorboard --logdir results/experiments": "cd runs/demo && tensorboard --logdir results/experiments --inspect",
    "trace_image.py --picture trace.png": (
        "cd workflow_scripts && python trace_image.py --picture trace.png BIOUG73200-A01.jpg --run ../runs/demo"
    ),
}


def commands_in_the_text() -> set[str]:
    """What stands between backticks, has several words and begins with something that can be run."""
    return {span for span in code_spans() if " " in span and _can_be_run(span.split()[0])}


def _can_be_run(word: str) -> bool:
    scripts = REPOSITORY / "workflow_scripts"
    return word == "." or bool(shutil.which(word, path=PATH)) or (word.endswith(".py") and (scripts / word).exists())


@pytest.fixture(scope="module")
def checkout(small_run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what is committed, beside a home with a user's photographs, labels and a downloaded package."""
    folder = copy_checkout(tmp_path_factory.mktemp("documentation") / "bioscan1m")
    manifest = (REPOSITORY / "chunks.tsv").read_text().splitlines(keepends=True)
    (folder / "chunks.tsv").write_text("".join(manifest[:4]))  # a plan of all takes seconds: test_plan_of_the_full_run
    shutil.copytree(small_run.folder, folder / "runs/demo", symlinks=True)
    published = "results/metadata/BIOSCAN_Insect_Dataset_metadata.tsv"
    (folder / published).parent.mkdir(parents=True)
    shutil.copy(small_run / published, folder / published)
    make_home(folder.parent, small_run.folder)
    return folder


def make_home(home: Path, run: Path) -> None:
    """Photographs, what they show, the same in folders with equal file names, and a package from somewhere."""
    (home / "Downloads").mkdir()
    shutil.copy(run / "results/packages/cropped_256.hdf5", home / "Downloads/crops.hdf5")
    (home / "photographs").mkdir()
    shutil.unpack_archive(run / "source/annotated_validation.zip", home / "unpacked")
    rows = ["image_file\torder\tfamily"]
    for number, path in enumerate(sorted((home / "unpacked").rglob("*.jpg"))):
        shutil.move(path, home / "photographs" / path.name)
        order, family = [("Diptera", "Sciaridae"), ("Coleoptera", "Carabidae")][number % 2]
        (home / "museum" / family).mkdir(parents=True, exist_ok=True)
        shutil.copy(home / "photographs" / path.name, home / "museum" / family / f"IMG_{number // 2:04}.jpg")
        rows.append(f"{path.name}\t{order}\t{family}")
    (home / "labels.tsv").write_text("\n".join(rows) + "\n")
    predicted = ("image_file", "taxon", "rank", "correct")
    corrections = [(path.name, "Sciaridae", "family", "ok") for path in sorted((home / "photographs").iterdir())[:2]]
    write_rows(home / "Downloads/corrections.tsv", predicted, corrections)


TRIED = [command for command in commands() if command not in ELSEWHERE]
LINES = [f"{command} --dry-run" if command in PLANNED else command for command in TRIED]


@pytest.mark.parametrize("line", LINES)
def test_the_command_works(checkout: Path, small_run, line: str) -> None:
    if line.startswith("make predict"):  # the run of one's own photographs, once it is finished
        shutil.rmtree(checkout / "runs/mine")
        shutil.copytree(small_run.folder, checkout / "runs/mine", symlinks=True)
    run(checkout, line)


@pytest.mark.parametrize("line", sorted(set(IN_THE_TEXT.values()) - set(LINES)))
def test_the_command_within_the_text_works(checkout: Path, line: str) -> None:
    run(checkout, line)


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
    languages = {name for text in TEXTS.values() for name in re.findall(r"^ *```(\w+)", text, flags=re.MULTILINE)}
    assert languages == {"mermaid", "python", "sh", "text", "yaml"}


def test_the_readme_is_short() -> None:
    assert len(TEXTS["README.md"].splitlines()) <= LONGEST_README


def test_every_page_is_in_the_index() -> None:
    names = {Path(name).name for name in TEXTS if name.startswith("docs/")} - {"README.md"}
    assert names == {link for link in links(TEXTS["docs/README.md"]) if "/" not in link}


def links(text: str) -> list[str]:
    """The targets of the links of a page to files, without the section that they lead to."""
    targets = re.findall(r"\]\(([^)\s]+)\)", outside_of_blocks(text))
    return [target.partition("#")[0] for target in targets if "://" not in target]


@pytest.mark.parametrize("page", TEXTS)
def test_every_link_leads_to_a_file_and_a_section(page: str) -> None:
    folder = (REPOSITORY / page).parent
    for target in re.findall(r"\]\(([^)\s]+)\)", outside_of_blocks(TEXTS[page])):
        file, _, section = target.partition("#")
        path = folder / file if file else REPOSITORY / page
        if "://" not in target:
            assert path.exists(), f"{page}: no file {file}"
            assert not section or section in sections(path), f"{page}: no section {target}"


def sections(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", outside_of_blocks(page.read_text(encoding="utf-8")), flags=re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_file_that_is_named_exists() -> None:
    """Paths from the root of the repository."""
    folders = ("rules/", "workflow_scripts/", "tests/", "profiles/", "envs/", "docs/")
    named = {span for span in code_spans() if span.startswith(folders) and not re.search(r"[\s*]", span)}
    assert len(named) > 20
    assert [name for name in sorted(named - NOT_COMMITTED) if not (REPOSITORY / name).exists()] == []


def test_every_module_and_folder_that_is_named_exists() -> None:
    """Also where a name begins within the library."""
    named = {span for span in code_spans() - NOT_COMMITTED if re.fullmatch(r"\w[\w/]*(\.py|/)", span)}
    named = {name for name in named if not name.startswith(("results/", "data/", "logs/", "runs/"))}  # of runs
    listed = subprocess.run(["git", "ls-files"], cwd=REPOSITORY, check=True, capture_output=True, text=True).stdout
    files = {f"/{path}" for path in listed.split()}
    places = files | {f"{folder}/" for path in files for folder in map(str, Path(path).parents)}
    assert [name for name in sorted(named) if not any(place.endswith(f"/{name}") for place in places)] == []


def test_the_rule_of_the_architecture_page_runs(small_run, tmp_path: Path) -> None:
    """Its blocks, each with its file in the first line, are put into a copy of the checkout."""
    changed, finished = copy_checkout(tmp_path / "changed"), tmp_path / "run"
    shutil.copytree(small_run.folder, finished, symlinks=True)
    for block in blocks("python", [TEXTS["docs/architecture.md"]]):
        name, content = re.fullmatch(r"# (\S+)\n(.*)", block, flags=re.DOTALL).groups()
        before = (changed / name).read_text(encoding="utf-8") + "\n\n" if (changed / name).exists() else ""
        (changed / name).write_text(before + content, encoding="utf-8")
    run(changed, "ruff check . && ruff format --check . && snakefmt --check rules")
    run(changed, "pytest tests/unit/crop/test_list_ambiguous.py tests/unit/test_environments.py")
    run(changed, f"snakemake results/statistics/ambiguous.tsv --directory {finished} --profile profiles/demo")
    assert (finished / "results/statistics/ambiguous.tsv").read_text().startswith("image_file\tscore\tsecond_score\n")


def test_the_table_of_targets_is_that_of_the_test() -> None:
    table = TEXTS["README.md"].partition("| target | what it makes |")[2].partition("\n\n")[0]
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
