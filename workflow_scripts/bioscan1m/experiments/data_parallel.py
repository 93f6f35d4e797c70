"""Processes of one node that train one model together: one per GPU, or on a CPU as many as are asked for.

Each has the whole model and its share of every step's images; DistributedDataParallel averages their gradients, over
NCCL on GPUs and gloo on a CPU. The process that starts the others is one of them, so that it logs, keeps the state and
writes the results as one that works alone. None outlives another: if one fails, its reason is logged and all end.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import tempfile
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

from bioscan1m.errors import InputError

logger = logging.getLogger(__name__)

FAILED = "a process that trains along failed"
SECONDS_FOR_A_REASON = 2.0


@dataclass(frozen=True)
class Group:
    """The processes that work together, as one of them sees them: which one it is, and how many they are."""

    rank: int = 0
    size: int = 1

    def total(self, values: torch.Tensor) -> torch.Tensor:
        """The element-wise sum of what each process has, on the same device."""
        if self.size > 1:
            values = values.clone()
            distributed.all_reduce(values)
        return values

    def gather(self, value: Any) -> list[Any]:
        """What each process has, in the order of their ranks; until all have come here, each waits."""
        if self.size == 1:
            return [value]
        values = [None] * self.size
        distributed.all_gather_object(values, value)
        return values

    def share(self, model: nn.Module) -> nn.Module:
        """A wrapper of the model whose backward pass averages the gradients.

        On GPUs batch norm then sees all images of a pass; on a CPU, where torch cannot do that, those of its process.
        """
        if self.size == 1:
            return model
        if next(model.parameters()).is_cuda:
            model = nn.SyncBatchNorm.convert_sync_batchnorm(model)
        return DistributedDataParallel(model, find_unused_parameters=True)

    def align_buffers(self, model: nn.Module) -> None:
        """Give every process the first one's buffers: the running statistics of batch norm."""
        if self.size > 1:
            for buffer in model.buffers():
                distributed.broadcast(buffer, 0)


ALONE = Group()


def run_together(processes: int, work: Callable[..., Any], arguments: Sequence[Any]) -> Any:
    """Run `work(group, *arguments)` in that many processes and return what this one, the first, returns.

    `work` and its arguments must be picklable. Raises InputError where there are fewer GPUs than processes.
    """
    if processes == 1:
        return work(ALONE, *arguments)
    if torch.cuda.is_available() and torch.cuda.device_count() < processes:
        raise InputError(
            f"classifier.training.processes: {processes} processes need as many GPUs, and this job has "
            f"{torch.cuda.device_count()}"
        )
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "store"
        with _others(processes, store, work, arguments), _member(Group(0, processes), store) as group:
            return work(group, *arguments)


@contextmanager
def _member(group: Group, store: Path) -> Iterator[Group]:
    """Be one of the group while the block runs; they find each other by the file `store`."""
    on_gpu = torch.cuda.is_available()
    if on_gpu:
        torch.cuda.set_device(group.rank)
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")  # they share a node
    distributed.init_process_group(
        "cpu:gloo,cuda:nccl" if on_gpu else "gloo", init_method=store.as_uri(), rank=group.rank, world_size=group.size
    )
    try:
        yield group
    finally:
        distributed.destroy_process_group()


@contextmanager
def _others(processes: int, store: Path, work: Callable[..., Any], arguments: Sequence[Any]) -> Iterator[None]:
    """The other processes, while the block runs; they end with it."""
    context = multiprocessing.get_context("spawn")  # a forked process could not use a GPU
    started = []
    for rank in range(1, processes):
        receiver, sender = context.Pipe(duplex=False)
        process = context.Process(target=_be_other, args=(Group(rank, processes), store, sender, work, arguments))
        process.start()
        sender.close()
        started.append((process, receiver))
    done = threading.Event()
    threading.Thread(target=_watch, args=(started, done), daemon=True).start()
    try:
        yield
    except InputError:
        raise
    except Exception:
        reasons = [_reason(failure) for _, failure in started]
        if any(reasons):  # then the error of this process is only what came of that
            raise InputError(f"{FAILED}: {next(filter(None, reasons))}") from None
        raise
    finally:
        done.set()
        for process, _ in started:
            process.terminate()
            process.join()


def _reason(failure: Connection) -> str | None:
    """Why a process failed, if it says so now or in a moment."""
    try:
        return failure.recv() if failure.poll(SECONDS_FOR_A_REASON) else None
    except EOFError:
        return None


def _be_other(
    group: Group, store: Path, failure: Connection, work: Callable[..., Any], arguments: Sequence[Any]
) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        with _member(group, store):
            work(group, *arguments)
    except InputError as error:
        failure.send(str(error))
        raise SystemExit(1) from None
    except BaseException:
        failure.send(traceback.format_exc())
        raise


def _end_with_parent() -> None:
    """End this process when the first is gone: a killed job must not leave others on the GPUs."""
    wait([multiprocessing.parent_process().sentinel])
    os._exit(1)


def _watch(started: Sequence[tuple[multiprocessing.Process, Connection]], done: threading.Event) -> None:
    """End this process when another has failed: it would wait for that one's gradients for ever."""
    running = {process.sentinel: (process, failure) for process, failure in started}
    while running:
        for sentinel in wait(list(running)):
            process, failure = running.pop(sentinel)
            if process.exitcode and not done.is_set():
                logger.error("%s: %s", FAILED, _reason(failure) or f"it ended with {process.exitcode}")
                os._exit(1)
