"""Export the run as a Workflow Run RO-Crate: its records in the form that tools of other workflows read."""

from pathlib import Path

from bioscan1m.atomic import write_json, write_text
from bioscan1m.job import job
from bioscan1m.metadata.dataset_description import licence_url
from bioscan1m.provenance.audit import read_evidence
from bioscan1m.provenance.provenance import REPOSITORY
from bioscan1m.provenance.run_crate import RunCrate


def export_crate(metadata: str, files: list[str], attributes: dict[str, str]) -> None:
    """Write the crate of the working directory, and beside it those files of the workflow that it describes."""
    names = [Path(path).relative_to(Path(metadata).parent).as_posix() for path in files]
    for path, name in zip(files, names, strict=True):
        write_text(path, (REPOSITORY / name).read_text(encoding="utf-8"))
    about = {"name": attributes["description"], "license": licence_url(attributes["copyright_license"])}
    write_json(metadata, RunCrate(".", read_evidence(Path()).records, names, about).as_json())


if __name__ == "__main__":
    with job(snakemake):
        export_crate(snakemake.output.metadata, snakemake.output.workflow, snakemake.params.attributes)
