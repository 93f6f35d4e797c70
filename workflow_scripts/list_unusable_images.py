"""List the images of little use for training, from all chunks, and the mistakes that are on images of low quality.

The authors judged the quality by eye (A6.4, figure A3). Here an image is of low quality where the boxes table has a
finding on it, so that neither a person nor the classifier decides.
"""

from collections.abc import Mapping
from itertools import chain
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from bioscan1m.boxes.table import read_boxes
from bioscan1m.experiments.metrics import probabilities
from bioscan1m.experiments.predictions import Predictions, read_predictions
from bioscan1m.experiments.results_tables import results_table, split_name
from bioscan1m.foundation.figures import save_figure
from bioscan1m.foundation.gallery import IMAGES_PER_ROW, draw_gallery, first_shown
from bioscan1m.foundation.published import beside_paper, published
from bioscan1m.foundation.tables import write_table
from bioscan1m.inference.unusable_images import list_unusable, quality_findings, show_unusable
from bioscan1m.jobs.context import job
from bioscan1m.package.images import ImagePackage

DECIMALS = 2


def findings_by_image(boxes: pd.DataFrame) -> pd.DataFrame:
    """The flags of `quality_findings` by image_file; of a name that is there twice, those of the first."""
    used = ~boxes["image_file"].duplicated()
    return quality_findings(boxes)[used].set_axis(boxes["image_file"][used].to_numpy())


def tabulate_low_quality(findings: pd.DataFrame, tests: Mapping[str, Predictions]) -> pd.DataFrame:
    """One row per experiment: test images and mistakes with a finding, in percent, and the mistakes by finding.

    Args:
        findings: of `findings_by_image`.
        tests: the predictions on the test images, by experiment.

    Returns:
        The table. A share of nothing is None. The error rates of images with and without a finding say how much of the
        share of mistakes is due to how many images have one.
    """
    return results_table([_describe(name, findings, test) for name, test in tests.items()])


def show_low_quality(
    findings: pd.DataFrame,
    tests: Mapping[str, Predictions],
    photographs: Mapping[str, bytes],
    crops: Mapping[str, bytes],
) -> Figure:
    """The surest mistakes on images with a finding, a row per experiment: each as photograph and, below it, as crop.

    Of an image without a crop, as where the detector saw no insect, the photograph is shown alone.
    """
    groups = {}
    for name, test in tests.items():
        flags = _of_images(findings, test)
        chosen = np.flatnonzero(test.misclassified & flags.any(axis=1).to_numpy())
        title = f"{name}: {len(chosen):,} of {test.misclassified.sum():,} misclassified test images have a finding"
        confidence = probabilities(test.logits).max(axis=1)
        surest = chosen[np.argsort(-confidence[chosen], kind="stable")]
        images = ((test.image_files[place], _describe_mistake(test, flags, place)) for place in surest)
        groups[title] = first_shown(images, [photographs, crops], IMAGES_PER_ROW)
    return draw_gallery(groups)


def _describe(experiment: str, findings: pd.DataFrame, test: Predictions) -> dict[str, Any]:
    flags, wrong = _of_images(findings, test), test.misclassified
    low = flags.any(axis=1).to_numpy()
    both = wrong & low
    size, task = split_name(experiment)
    paper = published("sectionA64_low_quality").set_index(["dataset", "task"])["on_low_quality_share"].get((size, task))
    share = _percent(both.sum(), wrong.sum())
    return {
        "experiment": experiment,
        "images": len(wrong),
        "low_quality": int(low.sum()),
        "low_quality_share": _percent(low.sum(), len(low)),
        "misclassified": int(wrong.sum()),
        "on_low_quality": int(both.sum()),
        "on_low_quality_share": share,
        "on_low_quality_share_published": paper,
        "error_rate_low_quality": _percent(both.sum(), low.sum()),
        "error_rate_others": _percent((wrong & ~low).sum(), (~low).sum()),
        **{f"mistakes_{name}": int(column[wrong].sum()) for name, column in flags.items()},
    }


def _of_images(findings: pd.DataFrame, test: Predictions) -> pd.DataFrame:
    """The flags of the images of a test, in their order; none for an image that has no row."""
    return findings.reindex(test.image_files, fill_value=False).reset_index(drop=True)


def _describe_mistake(test: Predictions, flags: pd.DataFrame, place: int) -> str:
    """The class of an image, what it is taken for, and the findings on it, one a line."""
    true, predicted = (test.classes[labels[place]] for labels in (test.truth, test.predicted))
    findings = "\n".join(flags.columns[flags.iloc[place]]).replace("_", " ")
    return f"{true}\nas {predicted}\n{findings}"


def _percent(part: int, whole: int) -> float | None:
    return round(100 * part / whole, DECIMALS) if whole else None


if __name__ == "__main__":
    with job(snakemake) as record:
        inputs, outputs, params = snakemake.input, snakemake.output, snakemake.params
        boxes = pd.concat([read_boxes(path) for path in inputs.boxes], ignore_index=True)
        photographs, crops = ImagePackage(inputs.package), ImagePackage(inputs.crops)
        tests = dict(zip(params.experiments, map(read_predictions, inputs.test), strict=True))
        unusable = list_unusable(boxes, chain(map(read_predictions, inputs.validation), tests.values()))
        write_table(outputs.unusable, unusable, decimals=4)
        save_figure(show_unusable(unusable, photographs), outputs.figure)
        findings = findings_by_image(boxes)
        mistakes = tabulate_low_quality(findings, tests)
        write_table(outputs.mistakes, beside_paper(mistakes, params.get("paper_figures", True)))
        save_figure(show_low_quality(findings, tests, photographs, crops), outputs.low_quality)
        record.images = {"in": len(boxes), "out": len(unusable)}
