"""Audit a run folder as it lies there, without running anything: what was changed, lost or left by no job?

    python workflow_scripts/audit_run.py runs/demo

prints every file that is not intact and the counts, and ends with status 1 where a file is changed or missing. The rule
`audit` writes the same findings into the results at the end of a run.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from bioscan1m.audit import FAULTS, INTACT, RECORDS, audit, summarise


def audit_run(run: Path) -> int:
    """Print what the audit finds in a run folder; 0, or 1 where a file is at fault."""
    if not (run / RECORDS).is_dir():
        sys.stderr.write(f"audit_run: {run} has no folder {RECORDS}, so it is no run of this workflow\n")
        return 2
    findings = audit(run)
    for finding in findings:
        if finding.state != INTACT:
            sys.stdout.write(f"{finding.state}\t{finding.path}\t{finding.rule}\t{finding.detail}\n")
    counts = ", ".join(f"{files} {state}" for state, files in summarise(findings).items())
    sys.stdout.write(f"{len(findings)} files: {counts}\n")
    return int(any(finding.state in FAULTS for finding in findings))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="the working directory of a run")
    sys.exit(audit_run(parser.parse_args().run))
