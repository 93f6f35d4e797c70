"""List the images that are of little use for training, from all chunks, and show the first of them."""

import pandas as pd

from bioscan1m.detector.boxes_table import read_boxes
from bioscan1m.experiments.predictions import read_predictions
from bioscan1m.figures import save_figure
from bioscan1m.inference.unusable_images import list_unusable, show_unusable
from bioscan1m.job import job
from bioscan1m.package.packages import ImagePackage
from bioscan1m.tables import write_table

if __name__ == "__main__":
    with job(snakemake) as record:
        inputs, outputs = snakemake.input, snakemake.output
        boxes = pd.concat([read_boxes(path) for path in inputs.boxes], ignore_index=True)
        unusable = list_unusable(boxes, map(read_predictions, inputs.predictions))
        write_table(outputs.unusable, unusable, decimals=4)
        save_figure(show_unusable(unusable, ImagePackage(inputs.package)), outputs.figure)
        record.images = {"in": len(boxes), "out": len(unusable)}
