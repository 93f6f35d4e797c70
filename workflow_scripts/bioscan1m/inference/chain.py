"""The classifiers of a run that look at new photographs, one after the other, calibrated and with their thresholds."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from bioscan1m.experiments.metrics import probabilities
from bioscan1m.experiments.predictions import read_predictions
from bioscan1m.inference.cascade import Stage, chain_of, level_of_each, name_set
from bioscan1m.inference.embeddings import embed
from bioscan1m.inference.novelty import TrainingImages, distance_thresholds, read_training_images, validation_distances
from bioscan1m.inference.photograph_predictions import Sighting
from bioscan1m.inference.selected_classifier import SelectedClassifier
from bioscan1m.inference.temperature import Calibration, calibrate
from bioscan1m.metadata.taxonomy import read_ranks


@dataclass(frozen=True)
class Files:
    """What the run has of one experiment."""

    validation: str | Path  # predictions for the validation images, whose distances are usual ones
    calibration: str | Path  # those for the test images, which have chosen neither epoch nor trial
    embeddings: str | Path


@dataclass(frozen=True)
class Link:
    """One classifier of the chain."""

    stage: Stage
    classifier: SelectedClassifier
    calibration: Calibration
    known: TrainingImages
    unusual: np.ndarray  # (classes,) distance from which on an image is unlike the training images

    def look_at(self, package: str | Path, findings: Mapping[str, Sighting]) -> dict[str, Sighting]:
        """The findings, by image_file, with what this classifier adds to those of which it is asked."""
        asked = [name for name, finding in findings.items() if self._is_asked(finding)]
        if not asked:
            return dict(findings)
        predictions, embeddings, skipped = embed(self.classifier.trained, package, asked)
        distances = self.known.distances(embeddings.vectors) / self.unusual[predictions.predicted]
        chances = probabilities(predictions.logits / self.calibration.temperature)
        found = dict(findings) | {row["image_file"]: Sighting(reason=row["reason"]) for row in skipped}
        for name, own, distance in zip(predictions.image_files, chances, distances.tolist(), strict=True):
            found[name] = self._add(findings[name], own, distance)
        return found

    def _is_asked(self, finding: Sighting) -> bool:
        if not finding.models:
            return finding.reason is None  # the first classifier
        if finding.identification is None or finding.reason:
            return False
        return self.stage.classes_asked(finding.identification) is not None

    def _add(self, before: Sighting, chances: np.ndarray, distance: float) -> Sighting:
        models = [*before.models, self.classifier.name]
        recipes = [*before.recipes, self.classifier.recipe_digest]
        if distance > 1:
            unlike = f"unlike the training images of {self.stage.experiment}"
            if before.identification is None:
                return Sighting(distance=distance, reason=unlike, models=models, recipes=recipes)
            return replace(before, reason=f"no finer taxon: {unlike}", models=models, recipes=recipes)
        found = name_set(self.stage, chances, self.calibration.thresholds, before.identification)
        return Sighting(found, distance, models=models, recipes=recipes)


def find_taxa(chain: Sequence[Link], package: str | Path, image_files: Iterable[str]) -> dict[str, Sighting]:
    """What the chain finds on images of a package, by image_file. Raises InputError where none can be read."""
    findings = dict.fromkeys(image_files, Sighting())
    for link in chain:
        findings = link.look_at(package, findings)
    return findings


def make_chain(
    classifiers: Sequence[SelectedClassifier],
    labels: Mapping[str, str],
    metadata: str | Path,
    files: Mapping[str, Files],
    empty: Container[str],
    level: float,
    false_alarms: float,
) -> list[Link]:
    """The chain of those classifiers that can be asked.

    Args:
        classifiers: of all experiments that may be used.
        labels: the metadata column of each experiment's classes.
        metadata: the validated metadata, Parquet.
        files: of each experiment.
        empty: images of the run without an insect.
        level: the least share of the images of each class whose set at the end of the chain has the true class.
        false_alarms: the share of images like those of the training that each classifier takes for unlike.

    Returns:
        The chain, the classifier of the coarsest rank first.
    """
    by_name = {one.trained.experiment: one for one in classifiers}
    stages = [Stage(name, read_ranks(metadata, labels[name], one.trained.classes)) for name, one in by_name.items()]
    chain = chain_of(stages)
    level = level_of_each(level, chain)
    return [
        _link(stage, by_name[stage.experiment], files[stage.experiment], empty, level, false_alarms) for stage in chain
    ]


def _link(
    stage: Stage,
    classifier: SelectedClassifier,
    files: Files,
    empty: Container[str],
    level: float,
    false_alarms: float,
) -> Link:
    validation = read_predictions(files.validation)
    known = read_training_images(files.embeddings, empty)
    distances, predicted = validation_distances(known, files.embeddings, validation, empty)
    return Link(
        stage=stage,
        classifier=classifier,
        calibration=calibrate(read_predictions(files.calibration), level),
        known=known,
        unusual=distance_thresholds(distances, predicted, len(validation.classes), false_alarms),
    )
