"""Make a copied folder of results a run: check all files by their records, and let Snakemake see them as current.

    python workflow_scripts/adopt_run.py runs/copy

`cp -r`, `rsync -r` and `git clone` give files new times, and Snakemake makes again what is older than its inputs. This
command hashes every file that a record names, and each that has the bytes of its record gets the time that it had. Then
`snakemake --dry-run` lists what differs from today's config and code, and nothing else. Files with other bytes are
listed, and keep their new times, so that what was made from them is planned. The status is 1 where there are some.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from bioscan1m.audit.adoption import adopt
from bioscan1m.audit.evidence import read_evidence
from bioscan1m.audit.update import require_idle
from bioscan1m.foundation.commands import as_command
from bioscan1m.foundation.errors import InputError
from bioscan1m.jobs.records import RECORDS


def adopt_run(run: Path) -> int:
    """Adopt a copy and print what is not as its record has it; the status.

    Raises InputError where the folder is no run, or one at which Snakemake is at work.
    """
    if not (run / RECORDS).is_dir():
        raise InputError(f"{run} has no folder {RECORDS}, so it is no run of this workflow")
    require_idle(run)
    evidence = read_evidence(run)
    changed = adopt(run, evidence)
    for fault in evidence.faults:
        sys.stdout.write(f"{fault.path}: {fault.state}; {fault.detail}\n")
    for path in changed:
        sys.stdout.write(f"{path}: other bytes than its record has\n")
    state = "are as their records have them" if not changed else f"are adopted but for {len(changed)} with other bytes"
    sys.stdout.write(f"The files of {len(evidence.records)} jobs {state}. `snakemake --dry-run` lists what is to do.\n")
    return int(bool(changed or evidence.faults))


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="the copied working directory of a run")
    try:
        return adopt_run(parser.parse_args().run)
    except (InputError, OSError) as error:
        sys.stderr.write(f"adopt_run: {error}\n")
        return 1


if __name__ == "__main__":
    as_command(main)
