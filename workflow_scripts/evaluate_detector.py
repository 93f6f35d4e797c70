"""Measure a detector on one image set: average precision and recall, and the surest boxes.

The tables are written here and not beside the evaluation, which a training also uses: another layout of a table does
not make a training run again.
"""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa

from bioscan1m.boxes.table import CORNERS
from bioscan1m.detector.evaluation import AP_50, Evaluated, coco_figures, evaluate, fixed_box, metrics
from bioscan1m.detector.examples import read_examples
from bioscan1m.detector.model import load_detector
from bioscan1m.foundation.tables import write_parquet, write_table
from bioscan1m.jobs.context import job
from bioscan1m.networks.device import prepare_device


def write_metrics(
    path: str | Path, training_set: str, val_set: str, evaluated: Sequence[Evaluated], fixed: Sequence[Evaluated]
) -> None:
    """Write the table of one detector on one validation set, one row; `fixed` is what the fixed box is there.

    A box in an empty well costs precision. The released code removes these wells, so the precision without them is
    given too; they do not change the recall, which counts annotated boxes alone.
    """
    with_insect = [item for item in evaluated if len(item.example.boxes)]
    row = {
        "training_set": training_set,
        "val_set": val_set,
        **metrics(evaluated),
        "empty_wells": len(evaluated) - len(with_insect),
        "ap_75_without_empty_wells": metrics(with_insect)["ap_75"],
        "ap_50": coco_figures(evaluated)[AP_50],
    }
    baseline = metrics(fixed)
    row |= {f"fixed_box_{name}": baseline[name] for name in ("ap_75", "ar_50_95", "mean_iou")}
    write_table(path, pd.DataFrame([row]), decimals=4)


def write_best_boxes(path: str | Path, evaluated: Sequence[Evaluated]) -> None:
    """Write the surest box of each image, in pixels of the photograph, with its score and its IoU as Parquet."""
    rows = [
        {
            "image_file": item.example.image_file,
            "width": item.example.image.width,
            "height": item.example.image.height,
            **dict(zip(CORNERS, item.best_box.tolist(), strict=True)),
            "score": float(item.scores.max()),
            "iou": item.iou,
        }
        for item in evaluated
    ]
    write_parquet(path, pa.Table.from_pandas(pd.DataFrame(rows), preserve_index=False))


if __name__ == "__main__":
    with job(snakemake) as record:
        inputs, outputs, params = snakemake.input, snakemake.output, snakemake.params
        files = {name: inputs[name] for name in ("model", "config", "preprocessor")}
        device = prepare_device(params.machine["threads"], seed=0)
        detector = load_detector(**files, device=device, **params.detection)
        examples = read_examples([inputs.images], [inputs.annotations], detector.preprocessor, snakemake.threads)
        evaluated = evaluate(detector, examples, params.machine["batch_size"])
        names = snakemake.wildcards.detector, snakemake.wildcards.image_set
        write_metrics(outputs.metrics, *names, evaluated, fixed_box(examples))
        write_best_boxes(outputs.best_boxes, evaluated)
        record.images = {"in": len(examples), "out": len(evaluated)}
