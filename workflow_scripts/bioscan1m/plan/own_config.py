"""The config of a run on a user's own images: the full run's, with one experiment per label column."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any

import yaml

from bioscan1m.atomic import write_text

logger = logging.getLogger(__name__)

FULL_CONFIG = Path(__file__).parents[3] / "config.yaml"
SEEDS = [1, 2, 3]
UNKNOWN_DATE = "1970-01-01"  # of the data; the day of the run would change the bytes of the packages
HEADER = """# A run on your own images. The repository's config.yaml comments each key; the schema has what is allowed.
# Yours to edit: what you change re-runs what depends on it.

"""


def write_own_config(run: Path, labels: list[str]) -> None:
    """Write config.yaml to the run's folder, unless there is one: that may have been edited.

    Each label column becomes an experiment `by_<column>` whose classes are the column's values, with the first backbone
    and the first loss of the full config and three seeds. Whose images these are is not stated: that is the user's to
    fill in.
    """
    if (run / "config.yaml").exists():
        logger.warning("%s: left as it is; remove it to have one made for these images", run / "config.yaml")
        return
    text = yaml.safe_dump(_own_config(labels), sort_keys=False, allow_unicode=True, width=120)
    write_text(run / "config.yaml", HEADER + text)


def _own_config(labels: list[str]) -> dict[str, Any]:
    config = yaml.safe_load(FULL_CONFIG.read_text(encoding="utf-8"))
    experiments = {f"by_{re.sub(r'[^A-Za-z0-9_.-]', '_', label)}": {"label": label} for label in labels}
    trial = f"{next(iter(config['classifier']['backbones']))}_{next(iter(config['classifier']['losses']))}"
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
    return config
