"""Turn your own images into the input of a run: a chunk manifest, metadata in the published form, and a config.

    python workflow_scripts/write_manifest.py --images photographs more.zip --labels labels.tsv \
        --label-columns order family --out runs/own

writes chunks.tsv, metadata.tsv and config.yaml to the folder `runs/own`. The config has one experiment for each label
column. An image is known by its path in the zip or folder (docs/photographs.md); --labels-from-folders family takes the
labels from the names of the folders. Each zip is one chunk. A folder, with all folders in it, is one chunk as well;
where it has more images than --images-per-chunk, it becomes several, zipped to runs/own/source/. The images stay where
they are. With --laptop the config trains in minutes without a GPU (docs/classifiers.md). The next run notices
photographs that are added, changed or removed, but not in folders split by --images-per-chunk: these are copied here,
so call this again. To give labels to photographs that come later, add them to the folder of a chunk and call this
again, or name a new folder last: the chunks that are there stay as they are.

    python workflow_scripts/write_manifest.py --from-predictions corrections.tsv --out runs/own

adds to a run the photographs of a table of predictions whose column `correct` is filled in, as its next chunk
(docs/corrections.md).
"""

from __future__ import annotations

import argparse
import logging
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from bioscan1m.foundation.atomic import write_text
from bioscan1m.foundation.checkout import REPOSITORY
from bioscan1m.foundation.commands import as_command
from bioscan1m.foundation.errors import InputError
from bioscan1m.foundation.user_tables import Dialect
from bioscan1m.metadata.split_settings import NO_GROUP
from bioscan1m.plan.corrected_chunk import add_corrected_chunk
from bioscan1m.plan.folder_labels import labels_of_folders, parse_levels
from bioscan1m.plan.labels_in_doubt import log_folders_in_doubt, log_labels_in_doubt
from bioscan1m.plan.own_images import known_key_folders, plan_chunks, write_own_manifest
from bioscan1m.plan.own_labels import NO_FOLDERS, READ_FROM_FILE, LabelTable, read_labels, write_own_metadata

if TYPE_CHECKING:
    from bioscan1m.plan.laptop import LaptopRecipe

logger = logging.getLogger("write_manifest")

FULL_CONFIG = REPOSITORY / "config.yaml"
SPECIMEN = "sampleid"
SEEDS = [1, 2, 3]
UNKNOWN_DATE = "1970-01-01"  # of the data; the day of the run would change the bytes of the packages
HEADER = """# A run on your own images. The repository's config.yaml comments each key; the schema has what is allowed.
# Yours to edit: what you change re-runs what depends on it.

"""
BAD_INPUT = 2  # the exit status
WHAT_NEXT = """Next:
  1. Look at {run}/config.yaml: packages.attributes (whose images these are), detector (what crops them), and
     classifier (how it is trained; one experiment for each of --label-columns).
  2. .venv/bin/snakemake{target} --directory {run} --profile profiles/demo --dry-run, and then without --dry-run."""

NEXT_WITH_CORRECTIONS = """Next:
  1. Keep the roles of all images: splits.policy and splits.previous in {run}/config.yaml (docs/corrections.md).
  2. .venv/bin/snakemake --directory {run} --profile profiles/demo --dry-run, and then without --dry-run."""
ALONE = ("labels", "image_column", "label_columns", "labels_from_folders", "missing_labels", "laptop")


def experiments_of(labels: list[str]) -> dict[str, dict[str, str]]:
    """An experiment `by_<column>` for each column of labels, whose classes are the column's values.

    Raises InputError where two columns would give an experiment of one name, also where only the case differs: results
    may be copied to a disk that has no upper and lower case.
    """
    experiments: dict[str, dict[str, str]] = {}
    columns: dict[str, str] = {}
    for label in labels:
        name = f"by_{re.sub(r'[^A-Za-z0-9_.-]', '_', label)}"
        first = columns.setdefault(name.casefold(), label)
        if name in experiments or first != label:
            raise InputError(f"--label-columns: '{first}' and '{label}' both give the experiment {name}; rename one")
        experiments[name] = {"label": label}
    return experiments


def refuse_names_of_columns(experiments: dict[str, dict[str, str]], labels: LabelTable) -> None:
    """Refuse an experiment whose column of roles would replace one of the user's table."""
    for name, experiment in experiments.items():
        if name in (*labels.columns, *labels.others):
            label = experiment["label"]
            raise InputError(f"{labels.path}: column '{name}' has the name of the experiment of '{label}'; rename it")


def log_what_is_not_trained(experiments: dict[str, dict[str, str]], labels: LabelTable | None) -> None:
    """Log that no classifier is trained where there are no labels, or where no column of them is named."""
    if not experiments:
        columns = ", ".join(labels.columns) if labels else "none"
        logger.warning(
            "no classifiers: the run makes boxes, crops, packages and metadata alone. To train classifiers, name "
            "columns of labels by --label-columns (found: %s)",
            columns,
        )


def group_of(labels: LabelTable | None) -> str | None:
    """The column of specimens, where several rows of the table are of one specimen; else None."""
    specimens = [cells.get(SPECIMEN, "") for _, cells in labels.rows] if labels else []
    named = [specimen for specimen in specimens if specimen.strip().casefold() not in NO_GROUP]
    if len(named) == len(set(named)):
        return None
    logger.info(
        "%d rows have %d values of %s: all images of one get the same role (splits.group)",
        *(len(named), len(set(named)), SPECIMEN),
    )
    return SPECIMEN


def write_own_config(
    run: Path,
    experiments: dict[str, dict[str, str]],
    missing_labels: list[str] | None = None,
    group: str | None = None,
    recipe: LaptopRecipe | None = None,
) -> None:
    """Write config.yaml to the run's folder, unless there is one: that may have been edited.

    Each experiment has three seeds, the first loss of the full config, and the backbone of the recipe, or without one
    the first of the full config. Input is normalised as the pretrained weights want it, not as the released code does.
    Whose images these are is not stated: that is the user's to fill in.
    """
    if (run / "config.yaml").exists():
        logger.warning("%s: left as it is; remove it to have one made for these images", run / "config.yaml")
        return
    config = _own_config(experiments)
    if recipe:
        recipe.apply_to(config["classifier"])
    config["splits"]["group"] = group
    config |= {"labels": {"missing": missing_labels, "map": {}}}
    text = yaml.safe_dump(config, sort_keys=False, allow_unicode=True, width=120)
    write_text(run / "config.yaml", HEADER + text)


def _own_config(experiments: dict[str, dict[str, str]]) -> dict[str, Any]:
    config = yaml.safe_load(FULL_CONFIG.read_text(encoding="utf-8"))
    trial = f"{next(iter(config['classifier']['backbones']))}_{next(iter(config['classifier']['losses']))}"
    for backbone in config["classifier"]["backbones"].values():
        backbone["normalisation"] = "dataset" if backbone["weights"] is None else "weights"
    attributes = config["packages"]["attributes"]
    config["packages"]["attributes"] = dict.fromkeys(attributes, "not stated") | {"date": UNKNOWN_DATE}
    config["entry"] |= {"cropped": {}, "cropped_256": {}}
    config |= {"chunks": "chunks.tsv", "metadata": {"source": "metadata.tsv", "checksum": None}}
    config["splits"] |= {"experiments": experiments}
    config["classifier"] |= {
        "trials": {experiment: [trial] for experiment in experiments},
        "seeds": {experiment: list(SEEDS) for experiment in experiments},
        "checkpoints": {},
        "overrides": {},
    }
    config["classifier"]["original_vs_cropped"]["experiments"] = {experiment: {} for experiment in experiments}
    config["inference"] |= {"experiments": None}
    config["paper_figures"] = False
    config["detector"]["detection"]["below_threshold"] = "drop"
    return config


def prepare_run(
    images: list[Path],
    run: Path,
    images_per_chunk: int,
    labels: Path | None = None,
    image_column: str | None = None,
    label_columns: list[str] | None = None,
    missing_labels: list[str] | None = None,
    dialect: Dialect = READ_FROM_FILE,
    levels: tuple[str, ...] = (),
    laptop: bool = False,
) -> None:
    """Write chunks.tsv, metadata.tsv and config.yaml of a run on a user's images; all is checked first.

    Args:
        images: Folders and zips, in the order of the chunks.
        run: The folder of the run.
        images_per_chunk: A folder with more images becomes several chunks.
        labels: A table with one row per image, CSV or .xlsx; None where there are no labels.
        image_column: Its column that names the image; None for one with a usual name for it.
        label_columns: Its columns of labels; None for the ranks that the published metadata has too.
        missing_labels: Values that stand for no label; None for NA in columns of ranks.
        dialect: How the table is written, as far as it is stated.
        levels: What the folders of the images are, from the outermost on; none where they are no labels.
        laptop: Whether a new config is one for a laptop.

    Raises:
        InputError: An image or a label cannot be used.
    """
    table = None
    if labels:
        table = read_labels(
            labels, image_column, label_columns, missing=missing_labels, dialect=dialect, required=not levels
        )
        log_labels_in_doubt(table)
    elif label_columns:
        raise InputError(f"--label-columns {', '.join(label_columns)}: there is no table of labels; add --labels")
    chunks = plan_chunks(images, images_per_chunk, known_key_folders(run))
    folders = labels_of_folders(chunks, levels) if levels else NO_FOLDERS
    log_folders_in_doubt(folders)
    experiments = experiments_of([*(table.columns if table and label_columns else ()), *folders.columns])
    if table:
        refuse_names_of_columns(experiments, table)
    log_what_is_not_trained(experiments, table)
    write_own_metadata(chunks, table, run, folders)
    write_own_manifest(chunks, run)
    if laptop and experiments and not (run / "config.yaml").exists():
        from bioscan1m.plan.laptop import choose_recipe, log_time  # not above: torch takes seconds to import

        recipe = choose_recipe()
        write_own_config(run, experiments, missing_labels, group_of(table), recipe)
        log_time(recipe, sum(len(chunk.images) for chunk in chunks), len(experiments), len(SEEDS))
    else:
        write_own_config(run, experiments, missing_labels, group_of(table))
    logger.info("%s: %d chunks", run / "chunks.tsv", len(chunks))


def _arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, nargs="+", help="folders and zips, in this order")
    parser.add_argument("--out", type=Path, required=True, help="folder of the run")
    parser.add_argument("--labels", type=Path, help="a table with one row per image: CSV in any dialect, or .xlsx")
    parser.add_argument(
        "--image-column",
        help="the column that names the image, with folders or without; a usual name is found",
    )
    parser.add_argument(
        "--label-columns", nargs="+", help="the columns of labels, each an experiment; the others are kept beside them"
    )
    parser.add_argument(
        "--labels-from-folders",
        metavar="LEVELS",
        help="what the folders are, from the outermost on, such as family or order/family; - is a level without labels",
    )
    parser.add_argument("--missing-labels", nargs="+", help="values that stand for no label; by default NA in ranks")
    parser.add_argument(
        "--from-predictions",
        metavar="TABLE",
        type=Path,
        help="a table of predictions with corrections: its photographs are added to the run of --out, as a chunk. "
        "--images names photographs.zip where that does not lie beside the table",
    )
    parser.add_argument("--delimiter", help="what separates the columns; by default it is read from the table")
    parser.add_argument("--encoding", help="such as utf-16 or cp1252; by default it is read from the table")
    parser.add_argument("--quotes", choices=("enclose", "data"), default="enclose", help="what quotes are in the table")
    parser.add_argument("--laptop", action="store_true", help="a config that trains in minutes without a GPU")
    parser.add_argument("--images-per-chunk", type=_count, default=10_000, help="images in a chunk of a folder")
    return parser


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"'{text}' is no number above 0")
    return int(text)


def main() -> int:
    """The command."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    given = _arguments().parse_args()
    dialect = Dialect(given.encoding, given.delimiter, quotes_enclose=given.quotes == "enclose")
    try:
        if given.from_predictions:
            _refuse_other_options(given)
            add_corrected_chunk(given.from_predictions, given.out, given.images or [], dialect)
        elif not given.images:
            raise InputError("--images: name the folders and zips of the photographs")
        else:
            prepare_run(
                given.images,
                given.out,
                given.images_per_chunk,
                labels=given.labels,
                image_column=given.image_column,
                label_columns=given.label_columns,
                missing_labels=given.missing_labels,
                levels=parse_levels(given.labels_from_folders) if given.labels_from_folders else (),
                laptop=given.laptop,
                dialect=dialect,
            )
    except (InputError, OSError) as error:
        sys.stderr.write(f"write_manifest: {error}\n")
        return BAD_INPUT
    what_next = NEXT_WITH_CORRECTIONS if given.from_predictions else WHAT_NEXT
    logger.info(what_next.format(run=given.out, target=" experiments" if given.laptop else ""))
    return 0


def _refuse_other_options(given: argparse.Namespace) -> None:
    """Refuse what has no meaning for a table of predictions."""
    if others := [f"--{name.replace('_', '-')}" for name in ALONE if getattr(given, name)]:
        raise InputError(f"--from-predictions: takes its labels from the table; leave out {', '.join(others)}")


if __name__ == "__main__":
    as_command(main)
