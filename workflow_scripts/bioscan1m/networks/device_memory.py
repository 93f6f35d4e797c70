"""Too little memory for a batch, on a GPU or a CPU: one message with the number of images that fit."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import TypeVar

import torch

from bioscan1m.foundation.errors import InputError

Result = TypeVar("Result")

# Of torch's allocator, and of oneDNN's where it finds no room for a kernel or its scratch.
CPU_OUT_OF_MEMORY = ("can't allocate memory", "could not create a primitive", "could not create a memory")


def within_memory(work: Callable[[], Result], explain: Callable[[], InputError]) -> Result:
    """What `work` returns. Raises what `explain` returns where there is too little memory for it."""
    try:
        return work()
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
    raise explain()  # here, where the error no longer holds the tensors of what failed


def too_little_memory(
    what: str, images: int, pixels: str, run: Callable[[int], object], advice: Callable[[int], str], smaller: str
) -> InputError:
    """Find out how many images fit into the memory at a time.

    Args:
        what: the work that ran out of memory.
        images: the images of its pass.
        pixels: the size of each, in words.
        run: a pass over another number of images.
        advice: what to set for the number that fits.
        smaller: what to take a smaller one of where not even one image fits.

    Returns:
        An error with that number and the remedy.
    """
    fitting = images_that_fit(run, images)
    remedy = (
        f"{fitting} fit: {advice(fitting)}"
        if fitting
        else f"not even one fits: take a smaller {smaller}, or a machine with more memory"
    )
    return InputError(f"{what}: out of memory with {images} images of {pixels} pixels in a pass; {remedy}")


def is_out_of_memory(error: Exception) -> bool:
    """Whether torch found no memory: on a GPU it has an error class for that, on a CPU a message."""
    return isinstance(error, torch.OutOfMemoryError) or any(message in str(error) for message in CPU_OUT_OF_MEMORY)


def images_that_fit(run: Callable[[int], object], images: int) -> int:
    """The largest of 1/2, 1/4, … of `images` for which `run` finds memory; 0 where not even one image does.

    The smallest comes first, so that there is one failure and nothing after it: oneDNN makes no more kernels where it
    lacked memory once.
    """
    fitting = 0
    for halvings in range(images.bit_length() - 1, 0, -1):
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        try:
            run(images >> halvings)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            break
        fitting = images >> halvings
    return fitting
