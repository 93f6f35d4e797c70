"""Draw the test accuracy of each class of one experiment as bars (figure 5 of the paper)."""

from bioscan1m.experiment_figures import draw_class_accuracy
from bioscan1m.experiment_results import read_results
from bioscan1m.figures import save_figure
from bioscan1m.job import job

if __name__ == "__main__":
    with job(snakemake):
        (test,) = read_results([snakemake.input.test])
        save_figure(draw_class_accuracy(test), snakemake.output.figure)
