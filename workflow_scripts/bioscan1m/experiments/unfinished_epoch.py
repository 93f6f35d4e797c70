"""How far an epoch has come: what is needed to go on after any of its steps as if the training had not stopped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from bioscan1m.experiments.batches import Batch
from bioscan1m.experiments.optimization import EpochLoss
from bioscan1m.experiments.process_group import Group
from bioscan1m.networks.device import random_state, set_random_state
from bioscan1m.networks.training_state import State


@dataclass
class UnfinishedEpoch:
    """The part of an epoch that one process has trained; which images come next follows from the number of steps."""

    losses: EpochLoss
    steps: int = 0
    seconds: float = 0.0
    skipped: list[tuple[int, str]] = field(default_factory=list)  # images that cannot be read, and why
    random: Sequence[Any] = ()  # the states of torch's generators, where they are not those of the epoch's seed

    def add(self, batches: Sequence[Batch]) -> int:
        """Count a step over these batches; the number of its images."""
        self.steps += 1
        self.skipped += [pair for batch in batches for pair in batch.skipped]
        return sum(len(batch.labels) + len(batch.skipped) for batch in batches)

    def all_skipped(self, group: Group) -> list[tuple[int, str]]:
        """Those of all processes, each of which has to come here."""
        return sorted(pair for pairs in group.gather(self.skipped) for pair in pairs)

    def go_on(self) -> None:
        """Let the network draw the random numbers that it would have drawn next."""
        if self.random:
            set_random_state(self.random)

    def state(self, group: Group) -> State:
        """Plain values and tensors of all processes, each of which has to come here."""
        return {
            "losses": self.losses.state(),
            "steps": self.steps,
            "seconds": self.seconds,
            "skipped": self.all_skipped(group),
            "random": group.gather(random_state()),
        }

    @classmethod
    def of_state(cls, state: State, group: Group) -> UnfinishedEpoch:
        """The epoch of which this is the `state`, for one of the processes; the first has what was skipped."""
        own = {"skipped": state["skipped"] if group.rank == 0 else [], "random": state["random"][group.rank]}
        return cls(**{**state, **own, "losses": EpochLoss(group, **state["losses"])})
