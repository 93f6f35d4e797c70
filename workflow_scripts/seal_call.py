"""Seal what a call of Snakemake made, at its end: records, config, manifest and report. rules/plan.smk starts it."""

import argparse
import sys
from pathlib import Path

from bioscan1m.audit.seals import seal_run
from bioscan1m.foundation.commands import as_command
from bioscan1m.foundation.errors import InputError
from bioscan1m.jobs.signatures import Signing


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, help="the working directory of a run")
    parser.add_argument("--settings", nargs="*", default=[], help="config files and manifest, relative to the run")
    parser.add_argument("--key", help="the SSH key that signs the ledger")
    parser.add_argument("--allowed", help="the file of the allowed signers")
    given = parser.parse_args()
    try:
        seal_run(given.run, Signing(given.key, given.allowed), given.settings)
    except (InputError, OSError) as error:
        sys.stderr.write(f"What this call of Snakemake made is not sealed: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    as_command(main)
