"""Draw which classes of one experiment are taken for which (figures A1 and A2 of the paper)."""

from bioscan1m.experiment_figures import draw_confusion_matrix
from bioscan1m.experiment_results import read_results
from bioscan1m.figures import save_figure
from bioscan1m.job import job

if __name__ == "__main__":
    with job(snakemake):
        (test,) = read_results([snakemake.input.test])
        save_figure(draw_confusion_matrix(test), snakemake.output.figure)
