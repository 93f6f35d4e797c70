"""The table of predictions for new photographs, with one verdict for each.

docs/predictions.md describes verdicts and columns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from bioscan1m.boxes.table import BELOW_THRESHOLD, BLANK, CORNERS, FLAGS, UNREADABLE, read_boxes
from bioscan1m.foundation.quarantine import read_quarantine
from bioscan1m.foundation.tables import read_parquet
from bioscan1m.inference.cascade import INSECT, Identification

NAMED, COARSER, UNLIKE, NO_INSECT, UNUSABLE = "named", "coarser", "unlike", "no insect", "unusable"
VERDICTS = (NAMED, COARSER, INSECT, UNLIKE, NO_INSECT, UNUSABLE)
COLUMNS = [
    "image_file",
    "verdict",
    "taxon",
    "rank",
    "prediction_set",
    "probability",
    "distance",
    "box_score",
    *CORNERS,
    "box_flags",
    "reason",
    "correct",
    "models",
    "recipe",
]
SEPARATOR = "; "  # of several values in one cell
NEARLY_EQUAL = "blank: nearly all pixels are equal"
DIGITS = {"probability": 4, "distance": 3, "box_score": 3, **dict.fromkeys(CORNERS, 1)}


@dataclass(frozen=True)
class Sighting:
    """What the classifiers found on a photograph; nothing where none could use it."""

    identification: Identification | None = None  # None too where the photograph is unlike the training images
    distance: float | None = None  # over its threshold, of the classifier that gave the name; else of the first
    reason: str | None = None
    models: list[str] = field(default_factory=list)  # of the classifiers that looked at it, by name
    recipes: list[str] = field(default_factory=list)  # their digests


def list_photographs(
    package: Mapping[str, bytes], boxes: Sequence[str | Path], quarantine: Sequence[str | Path]
) -> pd.DataFrame:
    """One row per photograph: image_file, the box with its score and flags, `problem` and `no_insect`.

    `boxes` is the boxes table, in the order of the photographs; none where nothing was cropped: then all that is known
    of a photograph is whether it is in the package. `quarantine` are the tables of what could not be used. A problem
    is the reason why a photograph is not usable; `no_insect` is whether no box has a score above the threshold.
    """
    lost = [(image_file, reason) for path in quarantine for image_file, _, reason in read_quarantine(path)]
    if not boxes:
        rows = sorted([*((name, None) for name in package), *lost], key=lambda row: row[0])
        table = pd.DataFrame(rows, columns=["image_file", "problem"]).reindex(
            columns=["image_file", "score", *CORNERS, "problem"]
        )
        return table.assign(box_flags="", no_insect=False)
    table = pd.concat(map(read_boxes, boxes), ignore_index=True)
    flags = table[FLAGS].astype("boolean").fillna(False).astype(bool)
    # Of a name that a zip has twice only the second photograph is lost.
    usable = table["image_file"].isin(set(package)) & (table["status"] != UNREADABLE)
    problem = table["image_file"].map(dict(lost)).astype(object).mask(usable).mask(flags[BLANK], NEARLY_EQUAL)
    return table[["image_file", "score", *CORNERS]].assign(
        box_flags=[SEPARATOR.join(flags.columns[row]) for row in flags.to_numpy()],
        problem=problem,
        no_insect=(table["status"] == BELOW_THRESHOLD) & ~flags[BLANK],
    )


def images_without_insect(boxes: Sequence[str | Path]) -> set[str]:
    """The images of boxes tables whose best score is not above the threshold."""
    tables = (read_parquet(path, ["image_file", "status"]).to_pandas() for path in boxes)
    return {name for table in tables for name in table.loc[table["status"] == BELOW_THRESHOLD, "image_file"]}


def to_classify(photographs: pd.DataFrame) -> list[str]:
    """The photographs of `list_photographs` that show an insect and can be used."""
    return photographs.loc[photographs["problem"].isna() & ~photographs["no_insect"], "image_file"].tolist()


def tabulate_verdicts(photographs: pd.DataFrame, findings: Mapping[str, Sighting]) -> pd.DataFrame:
    """The table of COLUMNS, in the order of the photographs.

    Args:
        photographs: as `list_photographs` returns them.
        findings: what was found, by image_file, on those of `to_classify`.

    Returns:
        The table; `correct` is empty, for the user to fill in.
    """
    rows = [
        _describe(row, findings.get(row["image_file"], Sighting())) | {"box_score": row["score"]}
        for row in photographs.to_dict("records")
    ]
    table = pd.concat([photographs, pd.DataFrame(rows, index=photographs.index)], axis=1).reindex(columns=COLUMNS)
    numbers = table[list(DIGITS)].apply(pd.to_numeric).astype("float64")
    return table.assign(**numbers.round(DIGITS))


def _describe(photograph: Mapping[str, object], finding: Sighting) -> dict[str, object]:
    """The columns of one row that follow from the finding, or from the lack of one."""
    if photograph["no_insect"]:
        score = photograph["score"]
        return {"verdict": NO_INSECT, "reason": f"no insect found: best score {score:.3f} is not above the threshold"}
    if isinstance(photograph["problem"], str):
        return {"verdict": UNUSABLE, "reason": photograph["problem"]}
    used = {
        "distance": finding.distance,
        "reason": finding.reason,
        "models": SEPARATOR.join(finding.models),
        "recipe": SEPARATOR.join(finding.recipes),
    }
    if finding.identification is None:
        return {"verdict": UNLIKE if finding.distance else UNUSABLE, **used}
    found = finding.identification
    return {
        "verdict": _verdict(found),
        "taxon": found.taxon,
        "rank": found.rank,
        "prediction_set": SEPARATOR.join(found.members),
        "probability": found.probability,
        **used,
    }


def _verdict(found: Identification) -> str:
    if len(found.members) == 1:
        return NAMED
    return INSECT if found.taxon == INSECT else COARSER
