"""Draw the test images of one experiment that its classifier gets wrong (figures A3 and A4 of the paper)."""

from bioscan1m.figures import save_figure
from bioscan1m.job import job
from bioscan1m.misclassifications import draw_misclassified
from bioscan1m.packages import ImagePackage
from bioscan1m.predictions import read_predictions

if __name__ == "__main__":
    with job(snakemake):
        predictions, package = read_predictions(snakemake.input.predictions), ImagePackage(snakemake.input.package)
        figure = draw_misclassified(predictions, package, snakemake.wildcards.experiment)
        save_figure(figure, snakemake.output.figure)
