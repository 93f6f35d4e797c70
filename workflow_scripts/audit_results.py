"""Hold every file of the run against its record, and fail where one is changed or missing."""

import logging
from dataclasses import asdict

import pandas as pd

from bioscan1m.atomic import write_json, write_text
from bioscan1m.audit import FAULTS, INTACT, audit, summarise
from bioscan1m.errors import InputError
from bioscan1m.html_tables import html_page
from bioscan1m.job import job
from bioscan1m.tables import write_table

logger = logging.getLogger(__name__)


def audit_results(records: str, table: str, summary: str, page: str) -> None:
    """Audit the working directory; write all findings as TSV, their counts as JSON, what is not intact as a page.

    Raises InputError that names the first files at fault, after the outputs are written.
    """
    findings = audit(".", records)
    frame = pd.DataFrame([asdict(finding) for finding in findings], columns=["path", "state", "rule", "detail"])
    counts = summarise(findings)
    write_table(table, frame)
    write_json(summary, {"files": len(findings), **counts})
    states = pd.DataFrame(counts.items(), columns=["state", "files"])
    write_text(page, html_page("Audit", [states, frame[frame["state"] != INTACT]]))
    faults = [f"{finding.path} ({finding.state})" for finding in findings if finding.state in FAULTS]
    for finding in findings:
        if finding.state != INTACT:  # Snakemake removes the table of an audit that fails; its log stays
            logger.warning("%s: %s; %s", finding.path, finding.state, finding.detail)
    if faults:
        raise InputError(
            f"{len(faults)} files are not as their jobs left them: {', '.join(faults[:10])}. "
            "Delete them and run again, or put the right ones back."
        )


if __name__ == "__main__":
    with job(snakemake):
        output = snakemake.output
        audit_results(snakemake.params.audited["records"], output.table, output.summary, output.page)
