"""BIOSCAN-1M Insect: from the zip chunks to tested classifiers. The includes are in the order of the data."""

from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.utils import min_version

min_version("9.25")

if not Path(workflow.current_basedir.get_path_or_uri(secret_free=True)).is_dir():
    raise WorkflowError(
        "The scripts of this workflow import a library beside them and cannot run from a git repository or a web "
        "address: clone it, for instance as a git submodule, and name the Snakefile of the clone by its path."
    )


configfile: "config.yaml"


report: "rules/captions/workflow.rst"


include: "rules/common.smk"
include: "rules/trials.smk"
include: "rules/fetch.smk"
include: "rules/detector.smk"
include: "rules/crop.smk"
include: "rules/package.smk"
include: "rules/metadata.smk"
include: "rules/experiments.smk"
include: "rules/original_vs_cropped.smk"
include: "rules/released.smk"
include: "rules/inference.smk"
include: "rules/predict.smk"
include: "rules/report.smk"
include: "rules/targets.smk"
include: "rules/provenance.smk"
include: "rules/plan.smk"


rule all:
    default_target: True
    input:
        rules.dataset.input,
        rules.detector.input,
        rules.experiments.input,
        rules.inference.input,
        rules.join_all_quarantine.output,
        rules.render_tables.output.pages,
        rules.seal_records.output,
        rules.export_crate.output,
