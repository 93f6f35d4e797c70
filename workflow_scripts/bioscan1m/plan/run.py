"""What a run consists of, derived from its config and its manifest: the values of wildcards, and settings per job.

It is made once, when the Snakefile is parsed, and parses in milliseconds: nothing here reads data.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any

from bioscan1m.foundation.errors import InputError
from bioscan1m.foundation.sources import Source
from bioscan1m.metadata.split_settings import Splits, SplitTask
from bioscan1m.networks.channels import CHANNELS_BEFORE
from bioscan1m.plan.new_photographs import parts_of_folders, photographs_to_predict
from bioscan1m.plan.recorded_parameters import FEATURES_DEPEND_ON, recorded_training

PACKAGES = ("original_256", "cropped_256")
ORIGINALS, CROPS, CROPPED_256 = "originals", "cropped", "cropped_256"  # what a run may start from


@dataclass(frozen=True)
class Trial:
    """One training: an experiment, a backbone, a loss and a seed."""

    experiment: str
    backbone: str
    loss: str
    seed: int


class Plan:
    """The jobs of a run, by name."""

    def __init__(self, config: dict[str, Any], chunks: dict[str, Source]) -> None:
        """Plan the run of a validated config on `chunks`: name -> source.

        These are the chunks of the manifest, or the zips of a published package. Raises InputError where the zips of
        two groups of chunks would have one name.
        """
        self._config = config
        self.entry = config["entry"]["from"]
        self.sources = chunks
        self.chunks = list(chunks)
        # The chunks that share one zip of full-size crops, by the zip's name: `1-20` -> 1, 2, … 20.
        self.groups = self._groups()
        self._splits = Splits.from_config(config["splits"])
        self.split_experiments = list(self._splits.experiments)
        self.experiments = list(config["classifier"]["trials"])
        self.backbones = list(config["classifier"]["backbones"])
        self.losses = list(config["classifier"]["losses"])
        self._pairs = {"_".join(pair): pair for pair in product(self.backbones, self.losses)}
        chosen = config["inference"]["experiments"]
        self.predicting = self.experiments if chosen is None else chosen
        self.trials = [trial for experiment in self.experiments for trial in self.trials_of(experiment)]

    @property
    def duplicates(self) -> str | None:
        """Whether copies of images are looked for: None, count or together."""
        return self._splits.duplicates

    @property
    def from_originals(self) -> bool:
        """Whether the run starts from photographs, which are to be cropped."""
        return self.entry == ORIGINALS

    @property
    def packages(self) -> tuple[str, ...]:
        """The packages of images of 256 pixels that can be made from what the run starts from."""
        return PACKAGES if self.from_originals else ("cropped_256",)

    @property
    def resized_packages(self) -> tuple[str, ...]:
        """Those of the packages whose images this run resizes."""
        return () if self.entry == CROPPED_256 else self.packages

    def stages_of(self, package: str) -> list[str]:
        """The stages that may lose an image on its way into a package; each has a quarantine table per chunk."""
        cropping = ["detect", "crop"] if self.from_originals and package == "cropped_256" else []
        return [*cropping, *(name for name in self.resized_packages if name == package)]

    @property
    def chunk_numbers(self) -> list[str] | None:
        """What chunk_number may be in the metadata; None where a zip of the run joins many chunks."""
        return self.chunks if self.from_originals else None

    def _groups(self) -> dict[str, list[str]]:
        if not self.from_originals:
            return {}
        size = self._config["packages"]["chunks_per_group"]
        groups: dict[str, list[str]] = {}
        first: dict[str, str] = {}
        for start in range(0, len(self.chunks), size):
            group = self.chunks[start : start + size]
            name = f"{group[0]}-{group[-1]}"
            if (other := first.setdefault(name.casefold(), name)) in groups:
                raise InputError(
                    f"{self._config['chunks']}: the zips of the crops of {', '.join(groups[other])} and of "
                    f"{', '.join(group)} would both be called {name}; rename a chunk, or choose another "
                    "packages.chunks_per_group"
                )
            groups[name] = group
        return groups

    @property
    def photographs(self) -> dict[str, Source]:
        """The folders and zips to predict on, and each part of a folder in parts, by name."""
        return photographs_to_predict(self._config["inference"]["photographs"])

    @property
    def photographs_in_parts(self) -> dict[str, list[str]]:
        """The names of the parts of each folder of photographs that is predicted on in parts."""
        return parts_of_folders(self._config["inference"]["photographs"])

    @property
    def detectors(self) -> list[str]:
        """Every detector of the run: the one that crops, if photographs are cropped, and those only evaluated."""
        detector = self._config["detector"]
        used = [detector["use"]] if self.from_originals else []
        evaluated = [*detector["checkpoints"], *self.trained_detectors] if detector["validation_sets"] else []
        return list(dict.fromkeys([*used, *self.trained_detectors, *evaluated]))

    @property
    def detector_evaluations(self) -> list[dict[str, str]]:
        """Every pair of a detector and a validation set."""
        sets = self._config["detector"]["validation_sets"]
        return [{"detector": name, "image_set": image_set} for name, image_set in product(self.detectors, sets)]

    @property
    def trained_detectors(self) -> list[str]:
        """The detectors that this run fine-tunes."""
        return self._config["detector"]["training_sets"]

    def image_sets(self, name: str) -> list[str]:
        """The image sets that a training set such as `IP-1000+IW-1000` is made of."""
        return name.split("+")

    def image_sets_of(self, detectors: list[str]) -> list[str]:
        """The annotated image sets that these detectors are trained on, and the one on which they are monitored."""
        trained = [image_set for name in detectors for image_set in self.image_sets(name)]
        monitor = self._config["detector"]["fine_tuning"]["monitor"] if trained else None
        return list(dict.fromkeys([*trained, *([monitor] if monitor else [])]))

    @property
    def used_image_sets(self) -> list[str]:
        """The annotated image sets that detectors are trained or measured on."""
        trained_on = self.image_sets_of(self.trained_detectors)
        return list(dict.fromkeys([*trained_on, *self._config["detector"]["validation_sets"]]))

    @property
    def pretrained_backbones(self) -> list[str]:
        """The backbones in use that start from weights trained elsewhere."""
        compared = [self.compared_pair[0]] if self.comparisons else []
        used = dict.fromkeys([*(trial.backbone for trial in self.trials), *compared])
        return [name for name in used if self.is_pretrained(name)]

    def is_pretrained(self, backbone: str) -> bool:
        """Whether a backbone starts from weights trained elsewhere."""
        return self._config["classifier"]["backbones"][backbone]["weights"] is not None

    def network(self, backbone: str) -> dict[str, Any]:
        """A backbone of the config without its normalisation: what is fetched and built."""
        settings = self._config["classifier"]["backbones"][backbone]
        return {name: value for name, value in settings.items() if name != "normalisation"}

    def normalisation(self, backbone: str) -> str | dict[str, list[float]]:
        """How the input of a backbone is normalised: unit, weights, dataset, or mean and std."""
        return self._config["classifier"]["backbones"][backbone]["normalisation"]

    def _backbone_settings(self, backbone: str) -> dict[str, Any]:
        """A backbone of a training; without the normalisation of all models made before there was a choice.

        So those stay valid in a run whose config states it.
        """
        before = {name: list(values) for name, values in CHANNELS_BEFORE._asdict().items()}
        is_choice = self.normalisation(backbone) != before
        return self._config["classifier"]["backbones"][backbone] if is_choice else self.network(backbone)

    @property
    def measured_experiments(self) -> list[str]:
        """Experiments whose training images have their channels measured."""
        measured = {trial.experiment for trial in self.trials if self.normalisation(trial.backbone) == "dataset"}
        return [experiment for experiment in self.experiments if experiment in measured]

    @property
    def measured_comparisons(self) -> list[dict[str, str]]:
        """The same of the trainings that set photographs against crops."""
        compared = self.comparisons
        return compared if compared and self.normalisation(self.compared_pair[0]) == "dataset" else []

    def labels(self) -> list[str]:
        """The metadata columns that experiments need, in the order of their first use."""
        tasks = [one for one in self._splits.experiments.values() if isinstance(one, SplitTask)]
        return list(dict.fromkeys(column for task in tasks for column in task.columns))

    def label_columns(self) -> dict[str, str]:
        """The metadata column that labels the images of each experiment; a subset has that of its parent."""
        return {name: self._splits.task_of(name).label for name in self._splits.experiments}

    def task_of(self, experiment: str) -> str:
        """The experiment from whose images this one is drawn, or itself."""
        parent = self._config["splits"]["experiments"][experiment].get("parent")
        return experiment if parent is None else self.task_of(parent)

    def trials_of(self, experiment: str) -> list[Trial]:
        """The trainings of one experiment: each trial of the config with each of its seeds."""
        classifier = self._config["classifier"]
        pairs = [self._pairs[name] for name in classifier["trials"][experiment]]
        return [Trial(experiment, *pair, seed) for pair in pairs for seed in classifier["seeds"][experiment]]

    @property
    def comparisons(self) -> list[dict[str, str]]:
        """Each training that sets photographs against crops (A7.3.3): an experiment and a package."""
        compared = self._config["classifier"].get("original_vs_cropped", {"enabled": False})
        experiments = compared["experiments"] if compared["enabled"] else []
        return [{"experiment": name, "package": package} for name, package in product(experiments, PACKAGES)]

    @property
    def made_of(self) -> dict[str, bool]:
        """What the run has, by the word for it in the list of the report's tables."""
        detector = self._config["detector"]
        return {
            "photographs": self.from_originals,
            "annotated": bool(self.used_image_sets),
            "measured": bool(self.detectors and detector["validation_sets"]),
            "split": bool(self.split_experiments),
            "trained": bool(self.experiments),
            "compared": bool(self.comparisons),
            "released": bool(self.released),
        }

    @property
    def compared_pair(self) -> tuple[str, str]:
        """Backbone and loss of the trainings that set photographs against crops."""
        return self._pairs[self._config["classifier"]["original_vs_cropped"]["trial"]]

    def comparison_settings(self, experiment: str) -> dict[str, Any]:
        """All that a training on either package needs to know."""
        compared = self._config["classifier"]["original_vs_cropped"]
        settings = self.trial_settings(experiment, *self.compared_pair, compared["seed"])
        return settings | {"training": recorded_training(settings["training"] | compared["experiments"][experiment])}

    @property
    def released(self) -> list[dict[str, str]]:
        """The released classifiers to test: the name of each `checkpoint` and its `experiment`."""
        checkpoints = self._config["classifier"]["checkpoints"]
        return [{"checkpoint": name, "experiment": entry["experiment"]} for name, entry in checkpoints.items()]

    def released_source(self, checkpoint: str) -> dict[str, str | None]:
        """Where the file of a released classifier comes from."""
        entry = self._config["classifier"]["checkpoints"][checkpoint]
        return {key: entry[key] for key in ("source", "checksum")}

    def released_settings(self, checkpoint: str) -> dict[str, Any]:
        """All that is known of a released classifier, as of a trial; how it was trained is not."""
        entry = self._config["classifier"]["checkpoints"][checkpoint]
        return {
            "experiment": entry["experiment"],
            "backbone": entry["backbone"],
            "loss": None,
            "seed": None,
            "backbone_settings": self.network(entry["backbone"]),
            "training": self.training(entry["experiment"]),
        }

    def training(self, experiment: str) -> dict[str, Any]:
        """The training settings of one experiment, its overrides applied."""
        classifier = self._config["classifier"]
        return recorded_training(classifier["training"] | classifier["overrides"].get(experiment, {}))

    def is_frozen(self, experiment: str) -> bool:
        """Whether the trainings of an experiment leave the trunk of their network as it is."""
        return self.training(experiment).get("freeze") == "trunk"

    def frozen_experiments(self, backbone: str) -> list[str]:
        """The experiments that train on the features of a backbone."""
        training = {trial.experiment for trial in self.trials if trial.backbone == backbone}
        return [name for name in self.experiments if name in training and self.is_frozen(name)]

    @property
    def frozen_backbones(self) -> list[str]:
        """The backbones whose features are computed."""
        return [name for name in self.backbones if self.frozen_experiments(name)]

    def features_training(self, backbone: str) -> dict[str, Any]:
        """The settings of the trainings on a backbone's features; validated to agree in what features depend on."""
        return self.training(self.frozen_experiments(backbone)[0])

    def trunk_settings(self, backbone: str) -> dict[str, Any]:
        """What the features of a backbone depend on, besides the images and the weights."""
        training = self.features_training(backbone)
        return {
            "backbone_settings": self._backbone_settings(backbone),
            "training": {name: training[name] for name in FEATURES_DEPEND_ON},
        }

    def trial_settings(self, experiment: str, backbone: str, loss: str, seed: int) -> dict[str, Any]:
        """All that one training needs to know."""
        classifier = self._config["classifier"]
        return {
            "experiment": experiment,
            "backbone": backbone,
            "loss": loss,
            "seed": seed,
            "backbone_settings": self._backbone_settings(backbone),
            "loss_settings": classifier["losses"][loss],
            "training": self.training(experiment),
        }
