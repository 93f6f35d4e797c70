"""Seal the records of all jobs in the ledger, and sign it if the config names a key."""

import logging
from pathlib import Path

from bioscan1m.audit.seals import seal_run
from bioscan1m.foundation.atomic import write_json
from bioscan1m.jobs.context import job
from bioscan1m.jobs.signatures import Signing

logger = logging.getLogger(__name__)


def seal_records(head: str, signing_key: str | None, allowed_signers: str | None = None) -> None:
    """Add the new records of the working directory to its ledger and write the ledger's head.

    Raises InputError where there is no record, where the ledger was changed or cut, where its signature is missing or
    of another key, or where it is signed and nothing is there to sign it again.
    """
    ledger = seal_run(Path(), Signing(signing_key, allowed_signers))
    write_json(head, ledger.head)
    logger.info("%d records are sealed", len(ledger.entries))


if __name__ == "__main__":
    with job(snakemake, refuse_damaged=False):
        outputs, signing = snakemake.output, snakemake.params.signing
        seal_records(outputs.head, signing["key"], signing.get("allowed"))
