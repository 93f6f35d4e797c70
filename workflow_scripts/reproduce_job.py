"""Does the job that made a file give the same bytes again?

    python workflow_scripts/reproduce_job.py runs/demo results/boxes/part1.parquet

runs that one job in a scratch folder, from the inputs that its record names and with the config of the run, and leaves
the run as it is. The status is 0 where all outputs have equal bytes, 1 where not, 2 where the job cannot be run as it
was. Files that hold times, such as the speed of a training, are named and not compared.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from contextlib import nullcontext
from pathlib import Path

from bioscan1m.audit.reproduction import reproduce
from bioscan1m.foundation.commands import as_command
from bioscan1m.foundation.errors import InputError


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="the working directory of a run")
    parser.add_argument("path", help="an output of the job, relative to the run")
    parser.add_argument("--scratch", type=Path, help="an empty folder to run in, kept; by default a temporary one")
    given = parser.parse_args()
    try:
        with nullcontext(given.scratch) if given.scratch else tempfile.TemporaryDirectory() as scratch:
            found = reproduce(given.run, given.path, scratch)
    except (InputError, OSError) as error:
        sys.stderr.write(f"reproduce_job: {error}\n")
        return 2
    states = {"equal": found.equal, "different": found.different, "holds times": found.timed}
    lines = [f"{state}\t{path}" for state, paths in states.items() for path in paths]
    sys.stdout.write("\n".join([*lines, *found.changes]) + "\n")
    return int(bool(found.different))


if __name__ == "__main__":
    as_command(main)
