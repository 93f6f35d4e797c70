"""Accounting for the cluster of the tests: slurmdbd on a MariaDB of its own, all in one folder."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from daemons import daemon, wait_until

COMMANDS = ("slurmdbd", "mariadbd", "mariadb-install-db", "sacct", "sacctmgr")
PORT, DATABASE_PORT = 16820, 16821
CONFIGURATION = """\
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
DbdHost=localhost
DbdPort={port}
SlurmUser=root
LogFile={folder}/slurmdbd.log
PidFile={folder}/slurmdbd.pid
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort={database_port}
StorageUser=root
StorageLoc=slurm_accounting
"""
# What the configuration of the cluster says besides; the comment is where the executor keeps the rule of a job.
CLUSTER_CONFIGURATION = f"""\
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=localhost
AccountingStoragePort={PORT}
AccountingStoragePass={{folder}}/munge.socket
AccountingStoreFlags=job_comment
"""


def why_no_accounting() -> str | None:
    """Why the cluster has no accounting here; None where it has."""
    missing = [command for command in COMMANDS if shutil.which(command) is None]
    return f"not installed: {', '.join(missing)} (Debian packages slurmdbd and mariadb-server)" if missing else None


@contextmanager
def accounting(folder: Path, cluster: str) -> Iterator[None]:
    """Run slurmdbd, with its files in `folder`, and have it know the cluster; slurmctld is to start within."""
    (folder / "slurmdbd.conf").write_text(CONFIGURATION.format(folder=folder, port=PORT, database_port=DATABASE_PORT))
    (folder / "slurmdbd.conf").chmod(0o600)  # else slurmdbd refuses it
    with _database(folder), daemon(["slurmdbd", "-D"], folder / "slurmdbd.out"):
        wait_until(lambda: _succeeds("sacctmgr", "--noheader", "list", "cluster"), "slurmdbd does not answer")
        subprocess.run(["sacctmgr", "--immediate", "add", "cluster", cluster], check=True, capture_output=True)
        yield


@contextmanager
def _database(folder: Path) -> Iterator[None]:
    """A MariaDB that takes root without a password, over the loopback alone."""
    data = ["--no-defaults", "--user=root", f"--datadir={folder}/database"]
    install = ["mariadb-install-db", *data, "--auth-root-authentication-method=normal", "--skip-test-db"]
    subprocess.run(install, check=True, capture_output=True)
    places = [f"--socket={folder}/database.socket", f"--pid-file={folder}/database.pid"]
    network = ["--bind-address=127.0.0.1", f"--port={DATABASE_PORT}"]
    with daemon(["mariadbd", *data, *places, *network], folder / "database.out"):
        ping = ["mariadb-admin", "--no-defaults", "--protocol=tcp", "--host=127.0.0.1", f"--port={DATABASE_PORT}"]
        wait_until(lambda: _succeeds(*ping, "--user=root", "ping"), "the database does not answer")
        yield


def _succeeds(*command: str) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0
