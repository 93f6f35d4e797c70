"""A SLURM cluster on this machine, for as long as a test needs one: munged, slurmctld and two slurmd in one folder.

It has two partitions, `cpu` and `gpu`, on one node each, and one GPU that is no more than a device file, which is all
that the scheduler looks at. The nodes claim more cores and memory than there may be: jobs are to be scheduled, not to
be fast.
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

COMMANDS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scontrol", "scancel")
SECONDS_TO_START = 60
CONFIGURATION = """\
ClusterName=test
SlurmctldHost=localhost
SlurmctldPort={port}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=10
CredType=cred/munge
SlurmUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool.%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=1
JobAcctGatherParams=OverMemoryKill
MinJobAge=3600
KillWait=5
ReturnToService=2
SlurmdParameters=config_overrides
GresTypes=gpu
NodeName=cpu-node NodeHostname=localhost NodeAddr=127.0.0.1 Port={cpu_port} CPUs=32 RealMemory=512000
NodeName=gpu-node NodeHostname=localhost NodeAddr=127.0.0.1 Port={gpu_port} CPUs=32 RealMemory=512000 Gres=gpu:1
PartitionName=cpu Nodes=cpu-node Default=YES MaxTime=7-0 State=UP
PartitionName=gpu Nodes=gpu-node MaxTime=7-0 State=UP
"""
# Jobs look for their cluster here: the executor passes no SLURM_CONF on to them.
SYSTEM_FOLDER = Path("/etc/slurm")
PORTS = {"port": 16817, "cpu_port": 16818, "gpu_port": 16819}


def why_not() -> str | None:
    """Why no cluster can be started here; None where one can."""
    if os.geteuid() != 0:
        return "a SLURM cluster can be started by root alone"
    configuration = SYSTEM_FOLDER / "slurm.conf"
    if configuration.exists() and not configuration.is_symlink():  # a link is of a test that was killed
        return f"this machine has a cluster already: {configuration}"
    missing = [command for command in COMMANDS if shutil.which(command) is None]
    return f"not installed: {', '.join(missing)} (Debian packages slurm-wlm and munge)" if missing else None


@dataclass(frozen=True)
class Cluster:
    """A running cluster."""

    folder: Path

    def command(self, *arguments: str) -> str:
        """What a command of SLURM prints."""
        return subprocess.run(arguments, text=True, stdout=subprocess.PIPE, check=True).stdout

    def jobs(self) -> list[dict[str, str]]:
        """All jobs, ended ones too, as `scontrol` shows them: JobId, JobState, Partition, Comment, TresPerJob, …"""
        lines = self.command("scontrol", "--oneliner", "show", "job").splitlines()
        return [dict(word.split("=", 1) for word in line.split() if "=" in word) for line in lines]


@contextmanager
def running_cluster(folder: Path) -> Iterator[Cluster]:
    """Start a cluster with its files in `folder`, and stop it in the end with all its jobs."""
    (folder / "state").mkdir(parents=True)
    (folder / "slurm.conf").write_text(CONFIGURATION.format(folder=folder, **PORTS))
    (folder / "gres.conf").write_text("NodeName=gpu-node Name=gpu File=/dev/null\n")
    with (
        _known_to_the_system(folder),
        _munged(folder),
        _daemon(["slurmctld", "-D"], folder / "slurmctld.out"),
        _daemon(["slurmd", "-D", "-N", "cpu-node"], folder / "slurmd.cpu-node.out"),
        _daemon(["slurmd", "-D", "-N", "gpu-node"], folder / "slurmd.gpu-node.out"),
    ):
        cluster = Cluster(folder)
        _wait(_is_idle, "the nodes did not come up")
        try:
            yield cluster
        finally:
            subprocess.run(["scancel", "--user=root"], check=False)


@contextmanager
def _known_to_the_system(folder: Path) -> Iterator[None]:
    links = [SYSTEM_FOLDER / name for name in ("slurm.conf", "gres.conf")]
    SYSTEM_FOLDER.mkdir(exist_ok=True)
    for link in links:
        link.unlink(missing_ok=True)
        link.symlink_to(folder / link.name)
    try:
        yield
    finally:
        for link in links:
            link.unlink()


@contextmanager
def _munged(folder: Path) -> Iterator[None]:
    """munged refuses a key that others can read, and a socket in a folder that others can write."""
    folder.chmod(0o755)
    (folder / "munge.key").write_bytes(secrets.token_bytes(1024))
    (folder / "munge.key").chmod(0o600)
    names = {"key-file": "key", "pid-file": "pid", "seed-file": "seed", "log-file": "log", "socket": "socket"}
    files = [f"--{option}={folder}/munge.{name}" for option, name in names.items()]
    with _daemon(["munged", "--foreground", "--force", *files], folder / "munged.out"):
        _wait((folder / "munge.socket").exists, "munged made no socket")
        yield


@contextmanager
def _daemon(command: list[str], output: Path) -> Iterator[None]:
    with output.open("w") as file:
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT)
        try:
            yield
        finally:
            process.terminate()
            process.wait(30)


def _is_idle() -> bool:
    """Whether the controller answers and every node is free."""
    asked = subprocess.run(["sinfo", "-h", "-o", "%t"], text=True, capture_output=True, check=False)
    return set(asked.stdout.split()) == {"idle"}


def _wait(condition: Callable[[], bool], otherwise: str) -> None:
    deadline = time.monotonic() + SECONDS_TO_START
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(otherwise)
        time.sleep(0.2)
