"""Make a detector of this pipeline from the released checkpoint.

The state's keys have the name of the attribute that held the model before them (`model.`, in some wrappers twice), and
the backbone has timm's names.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel

from bioscan1m.detector.architecture import CLASS_NAMES, build_model, with_classes
from bioscan1m.detector.backbone import with_own_backbone
from bioscan1m.detector.model import save_detector
from bioscan1m.detector.preprocessing import Preprocessor
from bioscan1m.foundation.errors import InputError
from bioscan1m.jobs.context import job
from bioscan1m.networks.checkpoints import read_state

# Of facebook/detr-resnet-50, where it differs from the defaults of transformers: none but the backbone, which
# with_own_backbone adds.
DETR_RESNET_50 = {"model_type": "detr", "backbone": "resnet50"}
CLASS_HEAD = "class_labels_classifier"
QUERIES = "model.query_position_embeddings.weight"


def read_checkpoint(path: str | Path) -> PreTrainedModel:
    """The DETR with a ResNet-50 in a Lightning file; its tensors give the numbers of classes and queries.

    Raises InputError for a file that is no checkpoint, that holds more than data, or whose keys are not those of this
    architecture: then it lists the missing and the unexpected ones.
    """
    weights = without_prefix(read_state(path, "state_dict", "a PyTorch Lightning checkpoint"), path)
    return build_model(*with_own_backbone(_settings(weights), weights), source=path)


def without_prefix(state: Mapping[str, torch.Tensor], path: str | Path) -> dict[str, torch.Tensor]:
    """The weights named as in a DETR; what comes before its class head's name is the prefix, whatever it is."""
    prefixes = [name.removesuffix(f"{CLASS_HEAD}.weight") for name in state if name.endswith(f"{CLASS_HEAD}.weight")]
    if len(prefixes) != 1:
        raise InputError(f"{path}: not a DETR for object detection: no {CLASS_HEAD}.weight among {len(state)} tensors")
    return {name.removeprefix(prefixes[0]): tensor for name, tensor in state.items()}


def _settings(weights: Mapping[str, torch.Tensor]) -> dict[str, Any]:
    """The settings of DETR-ResNet-50, with the numbers of classes and queries of the weights."""
    classes = len(weights[f"{CLASS_HEAD}.weight"]) - 1
    names = CLASS_NAMES if classes == len(CLASS_NAMES) else {index: f"class {index}" for index in range(classes)}
    queries = {"num_queries": len(weights[QUERIES])} if QUERIES in weights else {}
    return with_classes({**DETR_RESNET_50, **queries}, names)


if __name__ == "__main__":
    with job(snakemake):
        inputs, outputs, params = snakemake.input, snakemake.output, snakemake.params
        files = {name: outputs[name] for name in ("model", "config", "preprocessor")}
        model = read_checkpoint(inputs.checkpoint)
        save_detector(model, Preprocessor(**params.image_size), **files)
