"""Compare every file of the run with its record and each record with today's plan; fail where a file is at fault."""

import logging
import os
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from bioscan1m.audit.findings import audit
from bioscan1m.audit.scope import Scope
from bioscan1m.audit.states import FAULTS, INTACT, count_states
from bioscan1m.foundation.atomic import write_json, write_text
from bioscan1m.foundation.errors import InputError
from bioscan1m.foundation.html import html_page
from bioscan1m.foundation.tables import write_table
from bioscan1m.jobs.context import job
from bioscan1m.jobs.ledger import LEDGER, Ledger, read_ledger
from bioscan1m.jobs.planned import VARIABLE, JobPlan, read_plan

logger = logging.getLogger(__name__)

# Of the tables on the page.
HEADINGS = ("Files by state", "Files that are not intact", "The ledger of records", "Results of earlier code, accepted")


def audit_results(plan: JobPlan, kept: str, table: str, summary: str, page: str) -> None:
    """Audit the working directory.

    Args:
        plan: today's plan.
        kept: TSV of all findings to write, which Snakemake does not remove where the audit fails.
        table: the same as an output of the rule.
        summary: JSON of the numbers of files by state to write.
        page: HTML page to write, with all that is not intact.

    Raises:
        InputError: there is nothing to audit; or files are at fault: all is written before, and the message names the
            first of them.
    """
    findings = audit(".", Scope(in_call=True), plan)
    if not findings:
        raise InputError(f"nothing to audit: {Path.cwd()} has neither records nor files of a run")
    frame = pd.DataFrame([asdict(finding) for finding in findings], columns=["path", "state", "rule", "detail"])
    counts = count_states(findings)
    write_table(kept, frame)
    write_table(table, frame)
    write_json(summary, {"files": len(findings), **counts})
    states = pd.DataFrame(counts.items(), columns=["state", "files"])
    ledger = read_ledger(LEDGER)
    tables = [states, frame[frame["state"] != INTACT], _describe_ledger(ledger), _describe_acceptances(ledger)]
    write_text(page, html_page("Audit", tables, HEADINGS))
    faults = [finding for finding in findings if finding.state in FAULTS]
    for finding in faults:
        logger.warning("%s: %s; %s", finding.path, finding.state, finding.detail)
    if faults:
        first = ", ".join(f"{fault.path} ({fault.state})" for fault in faults[:10])
        raise InputError(
            f"{len(faults)} files are not as their jobs left them: {first}. `make repair RUN=...` makes "
            f"them again, or put the right ones back. All findings are in {kept}"
        )


def _describe_ledger(ledger: Ledger) -> pd.DataFrame:
    """The length of the ledger and its hash; a copy of the hash elsewhere proves later that nothing was changed."""
    last = ledger.entries[-1] if ledger.entries else None
    signed = "yes" if Path(f"{LEDGER}.sig").is_file() else "no"
    sealed, digest = (last.sealed, last.hash) if last else (None, None)
    return pd.DataFrame([{"records": len(ledger.records), "last sealed": sealed, "hash": digest, "signed": signed}])


def _describe_acceptances(ledger: Ledger) -> pd.DataFrame:
    """The acceptances of results of earlier code: the two codes, who decided, when and why."""
    rows = [(*key, decision.who, decision.when, decision.why) for key, decision in ledger.accepted.items()]
    return pd.DataFrame(rows, columns=["rule", "made by", "accepted for", "who", "when", "why"])


if __name__ == "__main__":
    with job(snakemake, refuse_damaged=False):
        outputs = snakemake.output
        audit_results(
            read_plan(os.environ[VARIABLE]), snakemake.log.findings, outputs.table, outputs.summary, outputs.page
        )
