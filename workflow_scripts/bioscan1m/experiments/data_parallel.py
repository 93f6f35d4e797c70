"""Processes of one node that train one model together: one per GPU, or on a CPU as many as are asked for.

Each has the whole model and its share of every step's images; DistributedDataParallel averages their gradients, over
NCCL on GPUs and gloo on a CPU. The process that starts the others is the first of them: it logs, saves the state and
writes the results, as one that works alone. None outlives another: if one fails, its reason is logged and all end.
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
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TypeVar

import torch
from torch import distributed

from bioscan1m.experiments.process_group import ALONE, Group
from bioscan1m.foundation.errors import InputError
from bioscan1m.foundation.gpu_allocation import allowing_cpu, cpu_allowed
from bioscan1m.networks.training_state import ignore_signals_of_the_end

logger = logging.getLogger(__name__)

Result = TypeVar("Result")

FAILED = "a process that trains along failed"
SECONDS_FOR_A_REASON = 2.0


def run_together(processes: int, work: Callable[[Group], Result]) -> Result:
    """Run a function in several processes and return the result of this one, the first.

    Args:
        processes: how many, this one included.
        work: the function; it must be picklable.

    Raises:
        InputError: there are fewer GPUs than processes, or another process failed.
    """
    if processes == 1:
        return work(ALONE)
    if torch.cuda.is_available() and torch.cuda.device_count() < processes:
        raise InputError(
            f"classifier.training.processes: {processes} processes need as many GPUs, and this job has "
            f"{torch.cuda.device_count()}"
        )
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "store"
        with _others(processes, store, work), _member(Group(0, processes), store) as group:
            return work(group)


@contextmanager
def _member(group: Group, store: Path) -> Iterator[Group]:
    """Be one of the group while the block runs; the processes find each other by the file `store`."""
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
def _others(processes: int, store: Path, work: Callable[[Group], object]) -> Iterator[None]:
    """Run the other processes while the block runs; they end with it."""
    started = [_start(Group(rank, processes), store, work) for rank in range(1, processes)]
    done = threading.Event()
    threading.Thread(target=_watch, args=(started, done), daemon=True).start()
    try:
        yield
    except InputError:
        raise
    except Exception:
        reasons = [_reason(failure) for _, failure in started]
        if any(reasons):  # then the error of this process only follows from that
            raise InputError(f"{FAILED}: {next(filter(None, reasons))}") from None
        raise
    finally:
        done.set()
        for process, _ in started:
            process.kill()
            process.join()


def _start(group: Group, store: Path, work: Callable[[Group], object]) -> tuple[BaseProcess, Connection]:
    """A process of the group, and the connection on which it sends the reason if it fails."""
    context = multiprocessing.get_context("spawn")  # a forked process could not use a GPU
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_be_other, args=(group, store, sender, work, cpu_allowed()))
    process.start()
    sender.close()
    return process, receiver


def _be_other(group: Group, store: Path, failure: Connection, work: Callable[[Group], object], cpu: bool) -> None:
    ignore_signals_of_the_end()  # the first process notices them, and ends the others
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with sending_failure(failure), allowing_cpu(cpu), _member(group, store):
        work(group)


@contextmanager
def sending_failure(failure: Connection) -> Iterator[None]:
    """Send the reason for which the block fails to the first process, which logs it."""
    try:
        yield
    except InputError as error:
        failure.send(str(error))
        raise SystemExit(1) from None
    except BaseException:
        failure.send(traceback.format_exc())
        raise


def _reason(failure: Connection) -> str | None:
    """Why a process failed, if it has sent the reason or does so in a moment."""
    try:
        return failure.recv() if failure.poll(SECONDS_FOR_A_REASON) else None
    except EOFError:
        return None


def _end_with_parent() -> None:
    """End this process when the first is gone: a killed job must not leave others on the GPUs."""
    if parent := multiprocessing.parent_process():
        wait([parent.sentinel])
    os._exit(1)


def _watch(started: Sequence[tuple[BaseProcess, Connection]], done: threading.Event) -> None:
    """End this process when another has failed: it would wait for that one's gradients for ever."""
    running = {process.sentinel: (process, failure) for process, failure in started}
    while running:
        ended = wait(list(running))
        for sentinel in [one for one in running if one in ended]:
            process, failure = running.pop(sentinel)
            if process.exitcode and not done.is_set():
                logger.error("%s: %s", FAILED, _reason(failure) or f"it ended with {process.exitcode}")
                os._exit(1)
