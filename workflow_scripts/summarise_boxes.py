"""Count what the detector found in all chunks, and draw how sure, how large and how sharp the boxes are."""

import pandas as pd

from bioscan1m.crop.boxes_summary import draw_measures, summarise_boxes
from bioscan1m.detector.boxes_table import read_boxes
from bioscan1m.figures import save_figure
from bioscan1m.job import job
from bioscan1m.tables import write_table

if __name__ == "__main__":
    with job(snakemake) as record:
        tables = {
            chunk: read_boxes(path) for chunk, path in zip(snakemake.params.chunks, snakemake.input.boxes, strict=True)
        }
        write_table(snakemake.output.summary, summarise_boxes(tables))
        boxes = pd.concat(tables.values())
        save_figure(draw_measures(boxes), snakemake.output.figure)
        record.images = {"in": len(boxes)}
