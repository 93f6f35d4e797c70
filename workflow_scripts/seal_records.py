"""Seal the records of all jobs in the ledger, and sign it if the config names a key."""

import logging
from pathlib import Path

from bioscan1m.audit.findings import read_sound_records
from bioscan1m.foundation.atomic import write_json
from bioscan1m.foundation.errors import InputError
from bioscan1m.jobs.context import job
from bioscan1m.jobs.environment import now
from bioscan1m.jobs.ledger import LEDGER, seal
from bioscan1m.jobs.records import RECORDS
from bioscan1m.jobs.signatures import sign

logger = logging.getLogger(__name__)


def seal_records(head: str, signing_key: str | None) -> None:
    """Add the new records of the working directory to its ledger and write the ledger's head.

    Raises InputError where there is no record, where the ledger was changed, or where it is signed and nothing is there
    to sign it again.
    """
    records = read_sound_records(".")
    if not records:
        raise InputError(f"{RECORDS}: no record that could be sealed, though every job of a run writes one")
    if signing_key is None and Path(f"{LEDGER}.sig").is_file():
        raise InputError(f"{LEDGER} is signed; name the key under provenance.signing_key, or remove {LEDGER}.sig")
    ledger = seal(LEDGER, records, now())
    if signing_key is not None and ledger.entries:
        sign(LEDGER, signing_key)
    write_json(head, ledger.head)
    logger.info("%d records are sealed", len(ledger.entries))


if __name__ == "__main__":
    with job(snakemake, refuse_damaged=False):
        outputs, params = snakemake.output, snakemake.params
        seal_records(outputs.head, params.signing["key"])
