"""What the rules ask about one training: its pretrained weights, labels, settings, processes and cores.

NEEDS  PLAN, of_trials
MAKES  functions of the wildcards that name a trial, or an experiment and package that are compared
"""

# Large files that are read by many trainings are ancient: a new time stamp is no reason to train again. But each such
# rule also reads a small file of the same job, a digest, that is not. When a job has to run, Snakemake asks no rule that
# follows from it whether it has reasons of its own, and does not run those that only ancient files lead to: it would
# fetch other weights, leave the models that were trained from the old ones as they are, and say that all is done.


def weights_of(backbone, *files):
    """Files of the pretrained weights that a backbone starts from, if any."""
    return [
        f"data/weights/{backbone}/{file}"
        for file in files
        if PLAN.is_pretrained(backbone)
    ]


def backbone_weights(*files):
    """Files of the pretrained weights that a trial starts from, if any."""

    def of_trial(wildcards):
        return weights_of(wildcards.backbone, *files)

    return of_trial


def comparison_weights(*files):
    """Files of the pretrained weights that a training on either package starts from, if any."""

    def of_comparison(wildcards):
        backbone, loss = PLAN.compared_pair
        return weights_of(backbone, *files)

    return of_comparison


def label_column(wildcards):
    """The metadata column that labels the images of an experiment."""
    return PLAN.label_columns()[wildcards.experiment]


def without_workers(trial):
    """The settings of a training that decide what it learns: not how many processes decode its images."""
    training = {
        name: value for name, value in trial["training"].items() if name != "workers"
    }
    return trial | {"training": training}


def trial_settings(wildcards):
    """All that one training needs to know, but for its workers."""
    trial = PLAN.trial_settings(
        wildcards.experiment, wildcards.backbone, wildcards.loss, int(wildcards.seed)
    )
    return without_workers(trial)


def comparison_settings(wildcards):
    """All that one training on either package needs to know, but for its workers."""
    return without_workers(PLAN.comparison_settings(wildcards.experiment))


def trial_workers(wildcards):
    """The processes that decode images for one training."""
    return PLAN.training(wildcards.experiment)["workers"]


def comparison_workers(wildcards):
    """The processes that decode images for one training on either package."""
    return PLAN.comparison_settings(wildcards.experiment)["training"]["workers"]


def training_processes(wildcards):
    """Processes that share each step of one trial, with a GPU each."""
    return PLAN.training(wildcards.experiment)["processes"]


def comparison_processes(wildcards):
    """Processes that share each step of one training on either package."""
    return PLAN.comparison_settings(wildcards.experiment)["training"]["processes"]


def cores_of(training):
    """Cores of one process: for its numerics, or for the processes that decode its images and itself."""
    return max(training["threads"], training["workers"] + 1)


def training_threads(wildcards):
    """Cores of one trial."""
    return training_processes(wildcards) * test_threads(wildcards)


def test_threads(wildcards):
    """Cores of the test of one experiment."""
    return cores_of(PLAN.training(wildcards.experiment))


def predicting_threads(wildcards):
    """Cores of the predictions on new photographs: the classifiers look at them one after the other."""
    return max(
        (cores_of(PLAN.training(experiment)) for experiment in PLAN.predicting),
        default=1,
    )


def comparison_threads(wildcards):
    """Cores of one training on either package."""
    return comparison_processes(wildcards) * cores_of(
        PLAN.comparison_settings(wildcards.experiment)["training"]
    )


def files_of_experiment(pattern):
    """One file for each training of an experiment."""

    def of_experiment(wildcards):
        return of_trials(pattern, [wildcards.experiment])

    return of_experiment
