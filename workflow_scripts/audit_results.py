"""Hold every file of the run against its record, and fail where one is changed or missing."""

import logging
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from bioscan1m.atomic import write_json, write_text
from bioscan1m.errors import InputError
from bioscan1m.html_tables import html_page
from bioscan1m.job import job
from bioscan1m.provenance.audit import FAULTS, INTACT, audit, summarise
from bioscan1m.provenance.ledger import LEDGER, read_ledger
from bioscan1m.tables import write_table

logger = logging.getLogger(__name__)

# Of the tables on the page.
HEADINGS = ("Files by state", "Files that are not intact", "The ledger of records")


def audit_results(kept: str, table: str, summary: str, page: str) -> None:
    """Audit the working directory; write all findings as TSV, their counts as JSON, what is not intact as a page.

    The table is written twice: Snakemake removes the outputs of an audit that fails, but not `kept`. Raises InputError
    that names the first files at fault, after all is written.
    """
    findings = audit(".")
    frame = pd.DataFrame([asdict(finding) for finding in findings], columns=["path", "state", "rule", "detail"])
    counts = summarise(findings)
    write_table(kept, frame)
    write_table(table, frame)
    write_json(summary, {"files": len(findings), **counts})
    states = pd.DataFrame(counts.items(), columns=["state", "files"])
    tables = [states, frame[frame["state"] != INTACT], _describe_ledger()]
    write_text(page, html_page("Audit", tables, HEADINGS))
    faults = [finding for finding in findings if finding.state in FAULTS]
    for finding in faults:
        logger.warning("%s: %s; %s", finding.path, finding.state, finding.detail)
    if faults:
        first = ", ".join(f"{fault.path} ({fault.state})" for fault in faults[:10])
        raise InputError(
            f"{len(faults)} files are not as their jobs left them: {first}. Delete them and run again, or put the "
            f"right ones back. All findings are in {kept}"
        )


def _describe_ledger() -> pd.DataFrame:
    """How far the ledger goes: whoever keeps the hash elsewhere can tell later that history is still the same."""
    entries = read_ledger(LEDGER).entries
    last = entries[-1] if entries else None
    signed = "yes" if Path(f"{LEDGER}.sig").is_file() else "no"
    row = {"records": len(entries), "last sealed": last and last.sealed, "hash": last and last.hash, "signed": signed}
    return pd.DataFrame([row])


if __name__ == "__main__":
    with job(snakemake):
        output = snakemake.output
        audit_results(snakemake.log.findings, output.table, output.summary, output.page)
