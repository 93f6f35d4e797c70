"""Draw the boxes that a reader should look at first, from all chunks."""

import pandas as pd

from bioscan1m.crop.doubtful_gallery import draw_doubtful
from bioscan1m.detector.boxes_table import read_boxes
from bioscan1m.figures import save_figure
from bioscan1m.job import job
from bioscan1m.package.packages import ImagePackage

if __name__ == "__main__":
    with job(snakemake) as record:
        boxes = pd.concat([read_boxes(path) for path in snakemake.input.boxes], ignore_index=True)
        images = ImagePackage(snakemake.input.package)
        save_figure(draw_doubtful(boxes, images, snakemake.params.crop), snakemake.output.figure)
        record.images = {"in": len(boxes)}
