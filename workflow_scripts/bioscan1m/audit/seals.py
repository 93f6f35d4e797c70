"""What a run has is sealed: by a rule, before crate and audit, and at the end of each call that made something.

The report is written by Snakemake itself, when all rules are done, and config and manifest are made by no job. So the
end of a call seals what is new, these among it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from bioscan1m.audit.evidence import read_sound_records
from bioscan1m.foundation.digests import describe_file
from bioscan1m.foundation.errors import InputError
from bioscan1m.jobs.environment import now
from bioscan1m.jobs.ledger import LEDGER, Ledger
from bioscan1m.jobs.records import RECORDS
from bioscan1m.jobs.sealing import seal
from bioscan1m.jobs.signatures import Signing
from bioscan1m.jobs.statements import REPORT, SETTING

REPORT_PAGE = "results/report.html"


def seal_run(run: Path, signing: Signing, settings: Iterable[str] | None = None) -> Ledger:
    """Seal the records of a run that the ledger does not have.

    Args:
        run: its folder.
        signing: who signs.
        settings: config files and manifest, relative to the run, which are sealed at the end of a call with the report;
            None within a call.

    Returns:
        The ledger.

    Raises:
        InputError: within a call there is no record; or the ledger was changed or cut, or its signature is not right.
    """
    records = read_sound_records(run)
    if settings is None and not records:
        raise InputError(f"{RECORDS}: no record that could be sealed, though every job of a run writes one")
    named = {} if settings is None else dict.fromkeys(settings, SETTING) | {REPORT_PAGE: REPORT}
    there = {path: what for path, what in named.items() if (run / path).is_file()}
    files = [describe_file(run / path) | {"path": path, "is": what} for path, what in there.items()]
    return seal(run / LEDGER, records, now(), files, signing)


def settings_in(run: Path, files: Iterable[str | Path]) -> list[str]:
    """The files that lie in the folder of a run, relative to it: others belong to the checkout."""
    places = (run / file for file in files)
    return list(dict.fromkeys(place.relative_to(run).as_posix() for place in places if place.is_relative_to(run)))


def made_in(run: Path) -> dict[str, int]:
    """Path -> time of the last change, in nanoseconds, of each record and of the report; to see if a call made any."""
    records = (Path(folder, name) for folder, _, names in os.walk(run / RECORDS) for name in names)
    places = [place for place in (*records, run / REPORT_PAGE) if os.path.lexists(place)]
    return {str(place): place.lstat().st_mtime_ns for place in places}
