"""Draw the boxes of a detector that fit an image set worst."""

from bioscan1m.detector.detector_gallery import draw_gallery
from bioscan1m.figures import save_figure
from bioscan1m.job import job

if __name__ == "__main__":
    with job(snakemake):
        given = snakemake.input
        figure = draw_gallery(given.images, given.annotations, given.best_boxes, snakemake.params.crop)
        save_figure(figure, snakemake.output.gallery)
