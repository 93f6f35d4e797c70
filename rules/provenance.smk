"""The records of all jobs, sealed in a ledger and compared with the files that are there.

NEEDS  results/provenance/records/, written by every job as its last output
MAKES  results/provenance/ledger.jsonl, audit.tsv and audit.json; results/ro-crate/
"""

WORKFLOW_FILES = ["Snakefile", *(f"rules/{file.name}" for file in RULES.glob("*.smk"))]


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
        metadata=in_report(
            "results/ro-crate/ro-crate-metadata.json", "5 Provenance", caption="crate", result="The run as RO-Crate"
        ),
        workflow=collect("results/ro-crate/{file}", file=WORKFLOW_FILES),
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
        page=in_report("results/provenance/audit.html", "5 Provenance", result="Audit of every file"),
        record=f"{RECORD}/audit/audit.json",
    log:
        messages="logs/audit.log",
        findings="logs/audit.tsv",
    conda:
        "../envs/data.yaml"
    threads: 4
    resources:
        **per_attempt(mem_mb=4_000, runtime=240),
    params:
        code=code_digest("audit_results"),
    message:
        "Audit every file of the run."
    script:
        "../workflow_scripts/audit_results.py"
