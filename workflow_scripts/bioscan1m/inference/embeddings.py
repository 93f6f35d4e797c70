"""Embeddings of images, for search and clustering: what a classifier's last layer makes its logits from.

Images that look alike to the classifier have embeddings of a small angle, also images of other classes than its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from matplotlib.figure import Figure

from bioscan1m.experiments.classifiers import head_layer
from bioscan1m.experiments.predictions import Predictions
from bioscan1m.experiments.trained_classifier import Skipped, TrainedClassifier
from bioscan1m.foundation.gallery import IMAGES_PER_ROW, draw_gallery, name_above
from bioscan1m.foundation.tables import read_parquet, write_parquet

QUERIES = 8  # of the figure
ROWS_AT_A_TIME = 2**14


@dataclass(frozen=True)
class Embeddings:
    """One vector per image."""

    image_files: list[str]
    vectors: np.ndarray  # (images, length) float32


def embed(
    classifier: TrainedClassifier, package: str | Path, image_files: Sequence[str]
) -> tuple[Predictions, Embeddings, Skipped]:
    """Embed images of a package, each of which is decoded once.

    Args:
        classifier: whose last layer's input the embeddings are.
        package: the HDF5 file.
        image_files: the images.

    Returns:
        The predictions, whose true classes mean nothing, and the embeddings of those that can be read, in their order;
        the others with reasons.

    Raises:
        InputError: no image can be read.
    """
    vectors: list[np.ndarray] = []

    def collect(_: torch.nn.Module, inputs: tuple[torch.Tensor]) -> None:
        vectors.append(_pooled(inputs[0]).float().cpu().numpy())

    hook = head_layer(classifier.model).register_forward_pre_hook(collect)
    try:
        predictions, skipped = classifier.look_at(package, image_files)
    finally:
        hook.remove()
    return predictions, Embeddings(predictions.image_files, np.concatenate(vectors)), skipped


def write_embeddings(path: str | Path, embeddings: Embeddings, split: pd.DataFrame) -> None:
    """Write a Parquet table of image_file, label, role and embedding, a list of floats of one length.

    `split` is that of the experiment.
    """
    described = split.set_index("image_file").loc[embeddings.image_files]
    flat = pa.array(embeddings.vectors.ravel(), pa.float32())
    table = pa.table(
        {
            "image_file": pa.array(embeddings.image_files, pa.string()),
            "label": pa.array(described["label"].astype(str), pa.string()),
            "role": pa.array(described["role"].astype(str), pa.string()),
            "embedding": pa.FixedSizeListArray.from_arrays(flat, embeddings.vectors.shape[1]),
        }
    )
    write_parquet(path, table, ROWS_AT_A_TIME)


def describe_embeddings(path: str | Path) -> pd.DataFrame:
    """image_file, label and role of the rows of what `write_embeddings` wrote."""
    return read_parquet(path, columns=["image_file", "label", "role"]).to_pandas()


def read_vectors(path: str | Path, places: Sequence[int]) -> np.ndarray:
    """The embeddings (places, length) float32 of some rows, in ascending order, without the others in memory."""
    wanted, chosen, start = np.asarray(places), [], 0
    for batch in pq.ParquetFile(path).iter_batches(ROWS_AT_A_TIME, columns=["embedding"]):
        own = wanted[(wanted >= start) & (wanted < start + len(batch))] - start
        if len(own):
            vectors = batch["embedding"].take(pa.array(own)).flatten().to_numpy()
            chosen.append(vectors.reshape(len(own), -1))
        start += len(batch)
    return np.concatenate(chosen)


def nearest(vectors: np.ndarray, query: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Places of the `count` vectors with the smallest angle to the query, the smallest first, and its cosine."""
    lengths = np.linalg.norm(vectors, axis=1) * np.linalg.norm(query)
    cosines = vectors @ query / np.maximum(lengths, np.finfo(np.float32).tiny)
    places = np.argsort(-cosines, kind="stable")[:count]
    return places, cosines[places]


def show_nearest(embeddings: Embeddings, split: pd.DataFrame, package: Mapping[str, bytes]) -> Figure:
    """For a test image of each of the largest classes the training images that are nearest to it."""
    described = split.set_index("image_file").loc[embeddings.image_files].reset_index()
    training, test = (np.flatnonzero(described["role"] == role) for role in ("train", "test"))
    known = embeddings.vectors[training]
    rows = {}
    for label in described["label"].astype(str).value_counts().index[:QUERIES]:
        for query in test[described["label"][test] == label][:1]:
            places, cosines = nearest(known, embeddings.vectors[query], IMAGES_PER_ROW - 1)
            shown = described.loc[[query, *training[places]]]
            seconds = ["the test image", *(f"{cosine:.3f}" for cosine in cosines)]
            rows[label] = [
                (package[name], f"{name_above(name)}\n{of_class}\n{second}")
                for name, of_class, second in zip(shown["image_file"], shown["label"], seconds, strict=True)
            ]
    return draw_gallery(rows)


def _pooled(features: torch.Tensor) -> torch.Tensor:
    """(N, length) of features with or without places: maps (N, length, height, width) or tokens (N, tokens, length)."""
    if features.ndim == 4:
        return features.mean(dim=(2, 3))
    return features.mean(dim=1) if features.ndim == 3 else features
