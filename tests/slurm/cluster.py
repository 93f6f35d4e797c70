"""A SLURM cluster on this machine, for as long as a test needs one: munged, slurmctld and two slurmd in one folder.

With slurmdbd where it and MariaDB are installed.
It has two partitions, `cpu` and `gpu`, on one node each, and one GPU that is no more than a device file, which is all
that the scheduler looks at. The nodes claim more cores and memory than there may be: jobs are to be scheduled, not to
be fast.
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from accounting import CLUSTER_CONFIGURATION, accounting, why_no_accounting
from daemons import daemon, wait_until

NAME = "test"
COMMANDS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scontrol", "scancel")
CONFIGURATION = """\
ClusterName={name}
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
TaskProlog={folder}/task_prolog.sh
KillWait=5
MessageTimeout=100
ReturnToService=2
SlurmdParameters=config_overrides
GresTypes=gpu
NodeName=cpu-node NodeHostname=localhost NodeAddr=127.0.0.1 Port={cpu_port} CPUs=32 RealMemory=512000
NodeName=gpu-node NodeHostname=localhost NodeAddr=127.0.0.1 Port={gpu_port} CPUs=32 RealMemory=512000 Gres=gpu:1
PartitionName=cpu Nodes=cpu-node Default=YES MaxTime=7-0 State=UP
PartitionName=gpu Nodes=gpu-node MaxTime=7-0 State=UP
"""
# A disk of the node for each job, as sites offer one.
TASK_PROLOG = """\
#!/bin/sh
mkdir -p {folder}/node_disk/$SLURM_JOB_ID
echo export SLURM_TMPDIR={folder}/node_disk/$SLURM_JOB_ID
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
    _configure(folder)
    with (
        _known_to_the_system(folder),
        _munged(folder),
        accounting(folder, NAME) if why_no_accounting() is None else nullcontext(),
        daemon(["slurmctld", "-D"], folder / "slurmctld.out"),
        daemon(["slurmd", "-D", "-N", "cpu-node"], folder / "slurmd.cpu-node.out"),
        daemon(["slurmd", "-D", "-N", "gpu-node"], folder / "slurmd.gpu-node.out"),
    ):
        cluster = Cluster(folder)
        wait_until(_is_idle, f"the nodes did not come up; see the logs in {folder}")
        try:
            yield cluster
        finally:
            subprocess.run(["scancel", "--user=root"], check=False)
            wait_until(_has_no_jobs, "jobs did not end")


def _configure(folder: Path) -> None:
    (folder / "state").mkdir(parents=True)
    more = CLUSTER_CONFIGURATION if why_no_accounting() is None else ""
    (folder / "slurm.conf").write_text((CONFIGURATION + more).format(name=NAME, folder=folder, **PORTS))
    (folder / "gres.conf").write_text("NodeName=gpu-node Name=gpu File=/dev/null\n")
    (folder / "task_prolog.sh").write_text(TASK_PROLOG.format(folder=folder))
    (folder / "task_prolog.sh").chmod(0o755)


@contextmanager
def _known_to_the_system(folder: Path) -> Iterator[None]:
    links = [SYSTEM_FOLDER / name for name in ("slurm.conf", "gres.conf", "slurmdbd.conf")]
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
    with daemon(["munged", "--foreground", "--force", *files], folder / "munged.out"):
        wait_until((folder / "munge.socket").exists, "munged made no socket")
        yield


def _is_idle() -> bool:
    """Whether the controller answers and every node is free."""
    asked = subprocess.run(["sinfo", "-h", "-o", "%t"], text=True, capture_output=True, check=False)
    return set(asked.stdout.split()) == {"idle"}


def _has_no_jobs() -> bool:
    """Whether nothing waits, runs or ends."""
    asked = subprocess.run(["squeue", "-h"], text=True, capture_output=True, check=False)
    return not asked.stdout.strip()
