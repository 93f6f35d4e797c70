"""What fits into memory is found by halving, and an error that has another cause stays as it is."""

from __future__ import annotations

import gc
import subprocess
import sys
import weakref
from pathlib import Path

import pytest
import torch

from bioscan1m.foundation.errors import InputError
from bioscan1m.networks.device_memory import images_that_fit, too_little_memory, within_memory

SCRIPTS = Path(__file__).parents[3] / "workflow_scripts"


def test_what_fits_into_memory_is_found_by_halving():
    code = """
import resource, sys, torch
from bioscan1m.networks.device_memory import images_that_fit
torch.set_num_threads(1)
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 300 * 2**20,) * 2)
for work in (lambda images: torch.ones(images, 10 * 2**20), lambda _: torch.ones(2**30)):
    print(images_that_fit(work, 32))
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=SCRIPTS, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["4", "0"], done.stderr


def test_other_errors_are_not_taken_for_want_of_memory():
    with pytest.raises(RuntimeError, match="shape"):
        images_that_fit(lambda images: torch.ones(images).view(-1, 3), 8)
    with pytest.raises(RuntimeError, match="shape"):
        within_memory(lambda: torch.ones(8).view(-1, 3), lambda: InputError("out of memory"))


def test_what_failed_has_let_go_of_its_tensors_when_the_error_is_explained():
    seen = []

    def fail() -> None:
        tensor = torch.ones(3)
        seen.append(weakref.ref(tensor))
        raise torch.OutOfMemoryError("CUDA out of memory")

    def explain() -> InputError:
        gc.collect()
        seen.append(seen[0]())
        return InputError("8 fit")

    with pytest.raises(InputError, match="8 fit"):
        within_memory(fail, explain)
    assert seen[1] is None


@pytest.mark.parametrize(("room", "said"), [(5, "4 fit: set it to 4"), (0, "not even one fits: take a smaller crop, ")])
def test_the_error_says_what_to_set_or_that_nothing_fits(room, said):
    def run(images: int) -> None:
        if images > room:
            raise torch.OutOfMemoryError("CUDA out of memory")

    error = too_little_memory("the test", 16, "224", run, lambda fitting: f"set it to {fitting}", "crop")
    assert f"the test: out of memory with 16 images of 224 pixels in a pass; {said}" in str(error)
