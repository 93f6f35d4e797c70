"""The records of all jobs, sealed in a ledger and held against the files that are there.

NEEDS  results/provenance/records/, written by every job as its last output
MAKES  results/provenance/ledger.jsonl, audit.tsv and audit.json; results/ro-crate/
"""

from snakemake.io import is_flagged

# A record says of which inputs and parameters others are no reason to run its job again.
for job_rule in workflow.rules:
    ancient_inputs = [
        name for name, item in job_rule.input.items() if is_flagged(item, "ancient")
    ]
    unwatched_params = [
        name for name, item in job_rule.params.items() if hasattr(item, "unwatched")
    ]
    job_rule.set_params(
        ancient=unwatched(ancient_inputs), unwatched=unwatched(unwatched_params)
    )


rule seal_records:
    input:
        DATASET,
        DETECTORS,
        EXPERIMENTS,
        INFERENCE,
        rules.join_all_quarantine.output.table,
        rules.render_tables.output.pages,
    output:
        head="results/provenance/ledger.json",
        record=f"{RECORD}/seal_records/ledger.json",
    log:
        "logs/seal_records.log",
    localrule: True
    conda:
        "../envs/data.yaml"
    params:
        signing={"key": config["provenance"]["signing_key"]},
        code=code_digest("seal_records"),
    message:
        "Seal the records of all jobs in the ledger."
    script:
        "../workflow_scripts/seal_records.py"


rule export_crate:
    input:
        ledger=rules.seal_records.output.head,
    output:
        metadata=report(
            "results/ro-crate/ro-crate-metadata.json",
            category=PROVENANCE_PART,
            caption="captions/crate.rst",
            labels={"result": "The run as RO-Crate"},
        ),
        workflow=[
            "results/ro-crate/Snakefile",
            *[f"results/ro-crate/rules/{file.name}" for file in RULES.glob("*.smk")],
        ],
        record=f"{RECORD}/export_crate/crate.json",
    log:
        "logs/export_crate.log",
    localrule: True
    conda:
        "../envs/provenance.yaml"
    params:
        attributes=config["packages"]["attributes"],
        code=code_digest("export_crate"),
    message:
        "Export the run as RO-Crate."
    script:
        "../workflow_scripts/export_crate.py"


rule audit:
    input:
        rules.seal_records.input,
        ledger=rules.seal_records.output.head,
    output:
        table="results/provenance/audit.tsv",
        summary="results/provenance/audit.json",
        page=report(
            "results/provenance/audit.html",
            category=PROVENANCE_PART,
            caption="captions/audit.rst",
            labels={"result": "Audit of every file"},
        ),
        record=f"{RECORD}/audit/audit.json",
    log:
        messages="logs/audit.log",
        findings="logs/audit.tsv",
    conda:
        "../envs/data.yaml"
    threads: 4
    resources:
        mem_mb=per_attempt(4_000),
        runtime=per_attempt(240),
    params:
        code=code_digest("audit_results"),
    message:
        "Audit every file of the run."
    script:
        "../workflow_scripts/audit_results.py"
