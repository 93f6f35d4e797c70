"""Train the small detector from which the demo's fine-tuning starts, and measure it on wells that it has not seen.

    python workflow_scripts/pretrain_demo_detector.py --out tests/demo/detector

draws synthetic wells, trains a small DETR on them from random weights (or from another detector: --base), and writes
config.json, model.safetensors, preprocessor.json and a README.md on what was done and measured. The defaults
are those of the detector in the repository.
"""

from __future__ import annotations

import argparse
import logging
import shlex
import sys
from dataclasses import asdict
from pathlib import Path

from bioscan1m.detector.evaluation import evaluate, metrics
from bioscan1m.detector.model import load_base, load_detector, save_detector
from bioscan1m.detector.preprocessing import Preprocessor
from bioscan1m.detector.settings import FineTuning
from bioscan1m.detector.training import fine_tune
from bioscan1m.foundation.atomic import write_text
from bioscan1m.foundation.commands import as_command
from bioscan1m.networks.device import prepare_device
from bioscan1m.networks.training_state import TrainingState
from synthetic.demo_detector import draw_examples, evaluation_wells, small_detr, training_wells

logger = logging.getLogger("pretrain_demo_detector")

EVALUATION_WELLS = 400
INPUT = Preprocessor(shortest_side=192, longest_side=256)
SCALES = [1.0, 0.48]

README = """# The detector from which the demo starts

A DETR, the model class of the paper, with a small ResNet: {parameters:,} parameters. This project trained it on its own
synthetic wells, with

{commands}

each from the detector of the one before, the first from random weights: {wells} wells of 640x480 pixels with insects of
every order but Diptera, which are most of the demo's, 3 % of the wells empty, from random streams that the demo's data
does not use (seed {seed}); batches of {batch_size}, AdamW with a learning rate that falls to 0 as a cosine, gradients
clipped to a norm of {gradient_clip}, random flips, inputs of 256x192 pixels and, as often, of {scales[1]} of that. The
last stage had {epochs} epochs, a learning rate of {learning_rate} and {batch_norm} batch norm.

On {images} wells in the demo's mix of insects, Diptera included, and before any fine-tuning: mean IoU of the best box
{mean_iou:.3f}, AP at IoU 0.75 {ap_75:.3f}, AR over IoU 0.50 to 0.95 {ar_50_95:.3f}.
"""


def fine_tuning_settings(given: argparse.Namespace) -> FineTuning:
    """The settings of the training, by the command line."""
    return FineTuning(
        base=str(given.base),
        epochs=given.epochs,
        batch_size=32,
        learning_rate=given.learning_rate,
        backbone_learning_rate=given.learning_rate,
        weight_decay=1e-4,
        gradient_clip=1.0,
        learning_rate_decay="cosine",
        train_batch_norm=not given.freeze_batch_norm,
        flip=True,
        scales=SCALES,
        precision="auto",
        monitor=None,
        seed=given.seed,
        threads=given.threads,
    )


def pretrain(out: Path, base: Path | None, wells: int, settings: FineTuning) -> dict[str, float | int]:
    """Train a detector and write it.

    Args:
        out: folder for its three files.
        base: folder of the detector to start from; None for random weights.
        wells: number of wells to train on.
        settings: the settings of the training.

    Returns:
        Its number of parameters and its figures on unseen wells.
    """
    seed = settings.seed
    device = prepare_device(settings.threads, seed)
    model = load_base(base / "model.safetensors", base / "config.json") if base else small_detr()
    examples = draw_examples(training_wells(seed, wells), seed, INPUT, "drawing wells to train on")
    kept = TrainingState(out / "training_state.pt", f"{settings} {wells}")
    fine_tune(model, examples, preprocessor=INPUT, settings=settings, device=device, kept=kept)
    files = out / "model.safetensors", out / "config.json", out / "preprocessor.json"
    save_detector(model, INPUT, *files)
    kept.remove()
    unseen = draw_examples(evaluation_wells(seed, EVALUATION_WELLS), seed, INPUT, "drawing wells to measure on")
    figures = metrics(evaluate(load_detector(*files, device), unseen, settings.batch_size))
    return {**figures, "parameters": sum(parameter.numel() for parameter in model.parameters())}


def _arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    parser.add_argument("--base", type=Path, help="folder of a detector to go on from (default: random weights)")
    parser.add_argument("--wells", type=int, default=6000, help="wells to draw and train on")
    parser.add_argument("--epochs", type=int, default=16)
    parser.add_argument("--learning-rate", type=float, default=5e-4)
    parser.add_argument(
        "--freeze-batch-norm",
        action="store_true",
        help="for the last stage: the weights get used to statistics that inputs of both sizes share",
    )
    parser.add_argument("--seed", type=int, default=101)
    parser.add_argument("--threads", type=int, default=1, help="CPU threads for numerics")
    return parser


def _commands(base: Path | None) -> list[str]:
    """The commands that the README of a detector to go on from has."""
    readme = base / "README.md" if base else None
    if readme is None or not readme.exists():
        return []
    return [line.strip() for line in readme.read_text(encoding="utf-8").splitlines() if line.startswith("    ")]


def main() -> None:
    """Pretrain as the command line says."""
    given = _arguments().parse_args()
    settings = fine_tuning_settings(given)
    figures = pretrain(given.out, given.base, given.wells, settings)
    commands = [*_commands(given.base), f"python workflow_scripts/pretrain_demo_detector.py {shlex.join(sys.argv[1:])}"]
    shown = "\n".join(f"    {command}" for command in commands)
    norm = "frozen" if given.freeze_batch_norm else "live"
    text = README.format(commands=shown, batch_norm=norm, wells=given.wells, **asdict(settings), **figures)
    write_text(given.out / "README.md", text)
    logger.info("%s", text)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    as_command(main)
