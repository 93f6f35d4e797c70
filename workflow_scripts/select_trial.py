"""Select the trial of an experiment that is tested: the highest mean of a validation metric over the seeds."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bioscan1m.experiments.results import Result, group_by_trial, mean_and_deviation, read_results
from bioscan1m.foundation.atomic import write_json
from bioscan1m.foundation.published import published_rows
from bioscan1m.jobs.context import job

# What the paper tested in all six of its experiments (A6.3).
PAPER_PAIR = ("vit_b_16", "ce")


@dataclass(frozen=True)
class TrialScore:
    """A validation metric of the runs of one trial."""

    backbone: str
    loss: str
    seeds: list[int]
    values: list[float]  # by seed
    mean: float
    std: float  # of the population

    @property
    def pair(self) -> tuple[str, str]:
        """Backbone and loss."""
        return self.backbone, self.loss


def select_trial(files: Sequence[str | Path], metric: str) -> Result:
    """The contents of selection.json, of the validation.json `files` of one experiment.

    Each trial has the mean and the population standard deviation of `metric` over its seeds; of equal means the trial
    that comes first wins. The weights to test are those of its best seed.
    """
    validations = read_results(files)
    trials = [_score(runs, metric) for runs in group_by_trial(validations).values()]
    best = max(trials, key=lambda trial: trial.mean)
    seed = best.seeds[best.values.index(max(best.values))]
    experiment = validations[0]["experiment"]
    return {
        "experiment": experiment,
        "metric": metric,
        "trials": [asdict(trial) for trial in trials],
        "selected": {"backbone": best.backbone, "loss": best.loss, "seed": seed},
        "differs_from_paper": _difference_from_paper(experiment, best, trials),
    }


def _score(runs: Sequence[Result], metric: str) -> TrialScore:
    mean, deviation = mean_and_deviation([run["metrics"] for run in runs], metric)
    return TrialScore(
        backbone=runs[0]["backbone"],
        loss=runs[0]["loss"],
        seeds=[run["seed"] for run in runs],
        values=[run["metrics"][metric] for run in runs],
        mean=mean,
        std=deviation,
    )


def _difference_from_paper(experiment: str, best: TrialScore, trials: Sequence[TrialScore]) -> str | None:
    """A sentence where the paper tested another trial in this experiment, else None."""
    rows = published_rows("tableA3_A4_validation")
    if experiment not in {f"{row['dataset']}_{row['task']}" for row in rows}:
        return None
    if best.pair == PAPER_PAIR:
        return None
    theirs = [trial for trial in trials if trial.pair == PAPER_PAIR]
    distance = f"which is {100 * (best.mean - theirs[0].mean):.2f} points behind" if theirs else "not tried here"
    backbone, loss = PAPER_PAIR
    return f"The paper tested {backbone} with {loss}, {distance}."


if __name__ == "__main__":
    with job(snakemake):
        inputs, outputs, params = snakemake.input, snakemake.output, snakemake.params
        write_json(outputs.selection, select_trial(inputs.validations, params.selection))
