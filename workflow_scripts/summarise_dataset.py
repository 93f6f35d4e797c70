"""Count labels, classes, roles and what train and test share, beside the paper's figures, and draw the classes."""

from bioscan1m.figures import save_figure
from bioscan1m.job import job
from bioscan1m.metadata.class_distribution import draw_class_distribution
from bioscan1m.metadata.statistics import (
    class_table,
    imbalance_table,
    label_table,
    leakage_table,
    read_metadata,
    split_table,
)
from bioscan1m.tables import write_table

if __name__ == "__main__":
    with job(snakemake) as record:
        outputs, experiments = snakemake.output, snakemake.params.experiments
        metadata = read_metadata(snakemake.input.metadata, experiments)
        classes = class_table(metadata, experiments)
        tables = {
            outputs.labels: label_table(metadata),
            outputs.imbalance: imbalance_table(metadata, classes),
            outputs.splits: split_table(classes, experiments),
            outputs.distribution: classes,
            outputs.leakage: leakage_table(metadata, experiments),
        }
        for path, table in tables.items():
            write_table(path, table)
        save_figure(draw_class_distribution(classes, experiments), outputs.figure)
        record.images = {"in": len(metadata)}
