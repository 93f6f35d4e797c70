"""What the rules ask about one training: its pretrained weights, labels, settings, processes and cores.

NEEDS  PLAN, of_trials
MAKES  functions of the wildcards that name a trial, or an experiment and package that are compared
"""

# Large files that are read by many trainings are ancient: a new time stamp is no reason to train again. But each such
# rule also reads a small file of the same job, a digest, that is not. When a job has to run, Snakemake looks for no
# other reasons of the jobs that follow from it, and does not run those that only ancient files lead to: it would fetch
# other weights, leave the models that were trained from the old ones as they are, and report that all is done.


def settings_of(wildcards: Wildcards) -> dict[str, Any]:
    """All that one training needs to know: a trial, or a training on either package."""
    if "package" in wildcards.keys():
        return PLAN.comparison_settings(wildcards.experiment)
    return PLAN.trial_settings(wildcards.experiment, wildcards.backbone, wildcards.loss, int(wildcards.seed))


def trial_settings(wildcards: Wildcards) -> dict[str, Any]:
    """The settings of a training that decide what it learns: not how many processes decode its images."""
    settings = settings_of(wildcards)
    return settings | {"training": {name: value for name, value in settings["training"].items() if name != "workers"}}


def training_setting(name: str) -> Callable:
    """One of the settings of a training, such as the processes that decode its images."""
    return lambda wildcards: settings_of(wildcards)["training"][name]


def training_gpus(wildcards: Wildcards) -> int:
    """One for each of the processes that share the steps of a training; none where there are only heads to train."""
    training = settings_of(wildcards)["training"]
    return 0 if training.get("freeze") == "trunk" else training["processes"]


def cores_of(training: dict[str, Any]) -> int:
    """Cores of one process: for its numerics, or for the processes that decode its images and itself."""
    return max(training["threads"], training["workers"] + 1)


def training_threads(wildcards: Wildcards) -> int:
    """Cores of one training."""
    training = settings_of(wildcards)["training"]
    return training["processes"] * cores_of(training)


def test_threads(wildcards: Wildcards) -> int:
    """Cores of the test of one experiment."""
    return cores_of(PLAN.training(wildcards.experiment))


def pretrained(*files: str) -> Callable:
    """Files of the weights that a training starts from, if its backbone is pretrained."""

    def of_training(wildcards):
        backbone = settings_of(wildcards)["backbone"]
        return only_if(PLAN.is_pretrained(backbone), *(f"data/weights/{backbone}/{file}" for file in files))

    return of_training


def features_threads(wildcards: Wildcards) -> int:
    """Cores of the job that computes the features of a backbone."""
    return cores_of(PLAN.features_training(wildcards.backbone))


def of_frozen_experiments(pattern: str) -> Callable:
    """One file for each experiment that trains on the features of a backbone."""
    return lambda wildcards: collect(pattern, experiment=PLAN.frozen_experiments(wildcards.backbone))


def features(pattern: str) -> Callable:
    """The features that a trial is trained on, where the trunk of its network is frozen."""
    return lambda wildcards: only_if(PLAN.is_frozen(wildcards.experiment), pattern.format(**wildcards))


def channels_of_weights(backbone: str) -> list[str]:
    """The file of the channels that the weights of a backbone state, where the config wants these."""
    return only_if(PLAN.normalisation(backbone) == "weights", f"data/weights/{backbone}/channels.json")


def channels(measured: str) -> Callable:
    """The file of the channels that the input of a training is normalised with; none where the config has them."""

    def of_training(wildcards):
        backbone = settings_of(wildcards)["backbone"]
        return [
            *channels_of_weights(backbone),
            *only_if(PLAN.normalisation(backbone) == "dataset", measured.format(**wildcards)),
        ]

    return of_training


def files_of_experiment(pattern: str) -> Callable:
    """One file for each training of an experiment."""
    return lambda wildcards: of_trials(pattern, [wildcards.experiment])
