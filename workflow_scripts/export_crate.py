"""Export the run as a Workflow Run RO-Crate: its records in the form that tools of other workflows read."""

from pathlib import Path

from bioscan1m.audit.crate import RunCrate
from bioscan1m.audit.evidence import read_evidence
from bioscan1m.foundation.atomic import write_json, write_text
from bioscan1m.foundation.checkout import REPOSITORY
from bioscan1m.foundation.licences import licence_url
from bioscan1m.jobs.context import job


def export_crate(metadata: str, files: list[str], attributes: dict[str, str]) -> None:
    """Write the crate of the working directory, and beside it those files of the workflow that it describes."""
    names = [Path(path).relative_to(Path(metadata).parent).as_posix() for path in files]
    for path, name in zip(files, names, strict=True):
        write_text(path, (REPOSITORY / name).read_text(encoding="utf-8"))
    about = {"name": attributes["description"], "license": licence_url(attributes["copyright_license"])}
    evidence = read_evidence(Path())
    crate = RunCrate(".", records=evidence.records, workflow=names, about=about, accepted=evidence.ledger.accepted)
    write_json(metadata, crate.as_json())


if __name__ == "__main__":
    with job(snakemake):
        outputs, params = snakemake.output, snakemake.params
        export_crate(outputs.metadata, outputs.workflow, params.attributes)
