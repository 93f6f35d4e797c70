"""A checkpoint from outside gives its tensors or is refused, and nothing in it is ever run."""

from __future__ import annotations

import argparse
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from harmful import Harmful

from bioscan1m.foundation.errors import InputError
from bioscan1m.networks.checkpoints import read_state

STATE = {"layer.weight": torch.arange(6.0).view(2, 3)}


def write_checkpoint(path: Path, **more: object) -> Path:
    torch.save({"epoch": 9, "state_dict": STATE, **more}, path)
    return path


def read(path: Path) -> dict[str, torch.Tensor]:
    return read_state(path, "state_dict", "a checkpoint of that kind")


def is_read(path: Path) -> bool:
    return {name: tensor.tolist() for name, tensor in read(path).items()} == {"layer.weight": [[0, 1, 2], [3, 4, 5]]}


class Calling(Harmful):
    """The same by a function that no list of forbidden modules has."""

    def __reduce__(self) -> tuple:
        return tempfile.mkdtemp, ("", self.path.name, str(self.path.parent))


@pytest.mark.parametrize("zipped", [True, False])
def test_a_file_that_would_run_commands_is_refused(tmp_path, zipped):
    path, content = tmp_path / "a.ckpt", {"state_dict": STATE, "callbacks": Harmful(tmp_path / "ran")}
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(InputError, match=r"a.ckpt: refused, since it holds more than tensors") as error:
        read(path)
    assert "posix" in str(error.value) and "weights_only" not in str(error.value)
    assert not (tmp_path / "ran").exists()


def test_code_in_a_file_is_not_run(tmp_path):
    assert is_read(write_checkpoint(tmp_path / "a.ckpt", callbacks=Calling(tmp_path / "ran")))
    assert not list(tmp_path.glob("ran*"))


class AttributeDict(dict):
    """Lightning keeps a module's settings in a class of its own, a dict."""


def test_settings_that_a_program_keeps_are_passed_over(tmp_path):
    settings = AttributeDict(lr=1e-4, weight_decay=1e-4, folder=Path("wells"), run=argparse.Namespace(epochs=10))
    state = {"ModelCheckpoint{'monitor': 'validation_loss'}": {"best": torch.tensor(0.4), "folder": Path("out")}}
    numbers = {"scalar": np.float64(0.5), "array": np.arange(3), "type": np.dtype("int64"), "step": partial(max, 1)}
    assert is_read(write_checkpoint(tmp_path / "a.ckpt", hyper_parameters=settings, callbacks=state, loops=numbers))


@pytest.mark.parametrize("content", [b"", b"<html>quota exceeded</html>", b"PK\x03\x04 cut off"])
def test_a_file_that_is_no_checkpoint_is_named(tmp_path, content):
    path = tmp_path / "a.ckpt"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"a\.ckpt"):
        read(path)


def test_a_checkpoint_without_state_and_a_missing_file_are_named(tmp_path):
    torch.save({"epoch": 1}, tmp_path / "a.ckpt")
    with pytest.raises(InputError, match="not a checkpoint of that kind: it has no state_dict"):
        read(tmp_path / "a.ckpt")
    torch.save({"state_dict": {"layer.weight": 1.5}}, tmp_path / "a.ckpt")
    with pytest.raises(InputError, match=r"no tensors: \['layer.weight'\]"):
        read(tmp_path / "a.ckpt")
    with pytest.raises(InputError, match="no such file"):
        read(tmp_path / "b.ckpt")
