"""Checkpoints of torch from outside, read as data and never run.

A checkpoint pickles whatever its program saved, also settings in its classes. `torch.load` with `weights_only`
builds tensors and plain containers; in place of every other class that the file names, an empty one takes what the file
has for it and does nothing, so that a file from outside cannot run code.
"""

from __future__ import annotations

import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import torch
from torch.serialization import get_unsafe_globals_in_checkpoint, safe_globals

from bioscan1m.foundation.errors import InputError

NAMED = 5  # values that a message names


class Filled:
    """Stands in for any class or function of a file but those of tensors and plain data, and does nothing.

    What it makes is an OrderedDict, since that is what `weights_only` allows a file to fill with items.
    """

    def __new__(cls, *_: Any, **__: Any) -> OrderedDict:  # type: ignore[misc] # on purpose another class
        """Make an empty dict in place of an instance."""
        return OrderedDict()


class Inert:
    """The same for values whose state is no dict, such as numpy's: it takes any state and forgets it."""

    def __init__(self, *_: Any, **__: Any) -> None:
        """Forget the arguments."""

    def __setstate__(self, _: Any) -> None:
        """Forget the state."""


def read_state(path: str | Path, key: str, kind: str) -> dict[str, torch.Tensor]:
    """Read the tensors of a checkpoint.

    Args:
        path: the file.
        key: under which it has the tensors.
        kind: what the file should be, in messages.

    Returns:
        Tensors by name, on the CPU.

    Raises:
        InputError: the file is missing or no checkpoint, it holds more than data, or it has no tensors there.
    """
    try:
        with safe_globals([(_stand_in(name), name) for name in _unknown_classes(path)]):
            checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; fetch it first") from None
    except pickle.UnpicklingError as error:
        raise InputError(
            f"{path}: refused, since it holds more than tensors and plain data: {_reason(error)}"
        ) from None
    except TypeError as error:
        raise InputError(f"{path}: it holds values that cannot be passed over ({error}); keep its {key}") from None
    except MemoryError:
        raise
    except Exception as error:  # torch raises nearly anything on damaged data
        raise InputError(f"{path}: no readable PyTorch file ({error}); remove it and fetch it again") from None
    state = checkpoint.get(key) if isinstance(checkpoint, dict) else None
    if not isinstance(state, dict):
        raise InputError(f"{path}: not {kind}: it has no {key}")
    if strange := [name for name, value in state.items() if not isinstance(value, torch.Tensor)]:
        raise InputError(f"{path}: {key} has values that are no tensors: {strange[:NAMED]}")
    return state


def _unknown_classes(path: str | Path) -> list[str]:
    """The classes and functions that a file names and that `weights_only` would refuse."""
    try:
        return get_unsafe_globals_in_checkpoint(path)
    except Exception:  # before PyTorch 1.6, whose files must do without, or of a damaged file, which `torch.load` finds
        return []


def _reason(error: pickle.UnpicklingError) -> str:
    """What torch refuses, without its advice on how to load the file all the same."""
    text = str(error).partition("Check the documentation")[0]
    for before in ("trusted source.", "WeightsUnpickler error:"):
        text = text.rpartition(before)[2]
    return " ".join(text.split())


def _stand_in(name: str) -> type:
    return Inert if name.startswith(("numpy.", "functools.")) else Filled
