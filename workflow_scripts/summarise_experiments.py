"""Put the results of all experiments into four tables beside the paper's, and the test results into a short text.

A fifth table lists the images that no experiment could use.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from bioscan1m.experiments.dominant_class import dominant_classes
from bioscan1m.experiments.results import read_results
from bioscan1m.experiments.results_tables import (
    headline,
    summarise_backbones,
    summarise_misclassified,
    summarise_tests,
    summarise_validations,
)
from bioscan1m.foundation.atomic import write_text
from bioscan1m.foundation.published import beside_paper
from bioscan1m.foundation.quarantine import read_quarantine
from bioscan1m.foundation.tables import read_parquet, write_table
from bioscan1m.jobs.context import job

LEFT_OUT = ["experiment", "class", "role", "image_file", "stage", "reason"]


def list_left_out(splits: Mapping[str, str | Path], quarantines: Sequence[str | Path]) -> pd.DataFrame:
    """The images that have a role in an experiment and that no classifier sees, with the stage and the reason.

    Args:
        splits: The table of the roles of each experiment, Parquet.
        quarantines: The tables of what could not be used on the way to the classifiers.

    Returns:
        One row per experiment and image, in the order of the experiments and of the tables.
    """
    lost = pd.DataFrame([row for path in quarantines for row in read_quarantine(path)], columns=LEFT_OUT[3:])
    names = pa.array(lost["image_file"].unique(), pa.string())
    rows = []
    for experiment, path in splits.items():
        table = read_parquet(path, columns=["image_file", "label", "role"])
        chosen = table.filter(pc.is_in(table["image_file"].cast(pa.string()), names)).to_pandas()
        of_images = lost.merge(chosen.rename(columns={"label": "class"}), on="image_file")
        rows.append(of_images.assign(experiment=experiment)[LEFT_OUT])
    return pd.concat(rows) if rows else pd.DataFrame(columns=LEFT_OUT)


if __name__ == "__main__":
    with job(snakemake):
        inputs, outputs, params = snakemake.input, snakemake.output, snakemake.params
        validations, selections, tests = map(read_results, (inputs.validations, inputs.selections, inputs.tests))
        is_shown = params.get("paper_figures", True)
        tested = beside_paper(summarise_tests(tests, selections), is_shown)
        dominant = dominant_classes(inputs.counts, params.tasks)
        tables = {
            outputs.validation: summarise_validations(validations, tests),
            outputs.test: tested,
            outputs.backbones: summarise_backbones(validations),
            outputs.misclassified: summarise_misclassified(tests, dominant),
        }
        for path, table in tables.items():
            write_table(path, beside_paper(table, is_shown))
        splits = dict(zip(params.tasks, inputs.splits, strict=True))
        write_table(outputs.left_out, list_left_out(splits, inputs.quarantines))
        write_text(outputs.headline, headline(tested))
