"""What is in doubt in a user's labels, logged on the first day: before there is a run that could list it."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from bioscan1m.metadata.suspicions import find_suspicions
from bioscan1m.plan.folder_labels import FolderLabels
from bioscan1m.plan.own_labels import LabelTable

logger = logging.getLogger(__name__)

NAMED = 5  # suspicions of a column that the log has before it counts the others


def log_labels_in_doubt(labels: LabelTable) -> None:
    """Log the first suspicions of each column of labels of a table."""
    for column in labels.columns:
        _log_doubts(labels.path, column, (cells[column] for _, cells in labels.rows), "rows")


def log_folders_in_doubt(folders: FolderLabels) -> None:
    """Log the first suspicions of each level of folders that is a label."""
    for column in folders.columns:
        _log_doubts("names of folders", column, (cells[column] for cells in folders.cells.values()), "images")


def _log_doubts(where: str | Path, column: str, names: Iterable[str], counted: str) -> None:
    """Log the first suspicions of a column; each name as Python writes it, so that blanks are seen."""
    found = find_suspicions(Counter(names))
    named = "; ".join(
        f"{one.name!r} ({one.images} {counted}) beside {one.resembles!r} ({one.its_images}): {one.reason}"
        for one in found[:NAMED]
    )
    if found:
        more = f"; and {len(found) - NAMED} more" if len(found) > NAMED else ""
        remedy = "In config.yaml labels.map reads a name as another, and labels.missing names those that are no label"
        logger.warning("%s: labels in doubt in %s: %s%s. %s", where, column, named, more, remedy)
