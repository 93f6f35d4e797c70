"""A run as a Workflow Run RO-Crate, by the profile Provenance Run Crate 0.5: its records as others' tools read them.

The workflow is the main entity, each rule a step and its script a tool, each record an action that names what went in
and what came out. Files stay where they are; paths are relative to the crate, and what is not there any more, or lies
outside of the run, is known by its digest. The same records give the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from rocrate.model.contextentity import ContextEntity
from rocrate.model.data_entity import DataEntity
from rocrate.rocrate import ROCrate

from bioscan1m.jobs.acceptance import Accepted
from bioscan1m.jobs.records import Record, by_output

CRATE = "results/ro-crate"  # its folder in that of the run
METADATA = f"{CRATE}/ro-crate-metadata.json"
PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": "Process Run Crate",
    "https://w3id.org/ro/wfrun/workflow/0.5": "Workflow Run Crate",
    "https://w3id.org/ro/wfrun/provenance/0.5": "Provenance Run Crate",
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": "Workflow RO-Crate",
}
TERMS = "https://w3id.org/ro/terms/workflow-run/context"
ENGINE = "https://snakemake.github.io"
MAIN = "Snakefile"


class RunCrate:
    """The crate of the records of a run; `run` is its folder, `workflow` names the workflow's files in the crate.

    `accepted` are the acceptances of results of earlier code; each that concerns these records is an action too.
    """

    def __init__(
        self,
        run: str | Path,
        records: Iterable[Record],
        workflow: list[str],
        about: dict[str, str],
        accepted: Accepted | None = None,
    ) -> None:
        self.run = Path(run)
        self.accepted = accepted or {}
        self.records = sorted(records, key=lambda record: record.path)
        self.made = by_output(self.records)
        self.crate = ROCrate(version="1.1")  # what the profile builds on
        self.crate.metadata.extra_contexts.append(TERMS)
        self._entities: dict[str, Any] = {}
        self._describe_root(about)
        self._add_workflow(workflow)
        self._add_actions()

    def as_json(self) -> dict[str, Any]:
        """The crate's metadata, the entities in the order of their ids."""
        document = self.crate.metadata.generate()
        return document | {"@graph": sorted(document["@graph"], key=lambda entity: entity["@id"])}

    def _describe_root(self, about: dict[str, str]) -> None:
        root = self.crate.root_dataset
        root["name"], root["license"] = f"A run of the workflow on: {about['name']}", about["license"]
        root["description"] = (
            f"{len(self.records)} jobs of a run that made the dataset '{about['name']}' and its classifiers"
        )
        root["datePublished"] = max((record.ended for record in self.records), default="")
        root["conformsTo"] = [
            self._add(url, "CreativeWork", name=name, version=url.rpartition("/")[2]) for url, name in PROFILES.items()
        ]

    def _add_workflow(self, files: list[str]) -> None:
        """The workflow with a step and a tool for each rule, and the software that it ran with."""
        language = self._add("#snakemake", ["ComputerLanguage", "SoftwareApplication"], name="Snakemake", url=ENGINE)
        versions = sorted({item for record in self.records for item in record.content.get("software", {}).items()})
        software = [
            self._add(f"#software-{name}-{version}", "SoftwareApplication", name=name, softwareVersion=version)
            for name, version in versions
        ]
        steps, tools = [], []
        for position, (rule, code) in enumerate(self._rules().items(), 1):
            tools.append(
                self._add(f"#tool-{rule}", "SoftwareApplication", name=code.split(":")[0], softwareVersion=code)
            )
            step = {"name": rule, "position": str(position), "workExample": tools[-1]}
            steps.append(self._add(f"#step-{rule}", "HowToStep", **step))
        for file in files:
            kind = ["File", "SoftwareSourceCode", *(["ComputationalWorkflow", "HowTo"] if file == MAIN else [])]
            self._add_file(file, kind, name=file, programmingLanguage=language)
        self.workflow = self._entities[MAIN]
        self.workflow["hasPart"], self.workflow["step"] = tools, steps
        self.workflow["softwareRequirements"] = software
        self.crate.root_dataset["mainEntity"] = self.workflow

    def _rules(self) -> dict[str, str]:
        """Rule -> digest of the code of its latest job."""
        latest = sorted(self.records, key=lambda record: (record.rule, record.ended))
        return {record.rule: record.content["code"] for record in latest}

    def _add_actions(self) -> None:
        """The run, as an action of the workflow; Snakemake's, that ordered it; and for each rule that of its jobs."""
        by_rule: dict[str, list[Any]] = {}
        for record in self.records:
            by_rule.setdefault(record.rule, []).append(self._add_job(record))
        controls = [
            self._add(
                f"#control-{rule}",
                "ControlAction",
                name=f"orchestrate {rule}",
                instrument=self._entities[f"#step-{rule}"],
                object=jobs,
            )
            for rule, jobs in by_rule.items()
        ]
        times = self._times(self.records)
        run = self._add("#run", "CreateAction", name="the run", instrument=self.workflow, **times, **self._ends())
        engine = self._entities["#snakemake"]
        self._add(
            "#orchestration",
            "OrganizeAction",
            name="Snakemake's run",
            instrument=engine,
            object=controls,
            result=run,
            **times,
        )
        jobs = [job for jobs in by_rule.values() for job in jobs]
        self.crate.root_dataset["mentions"] = [run, *jobs, *self._acceptances()]

    def _acceptances(self) -> list[Any]:
        """For each acceptance of earlier code: who accepted which jobs, when and why."""
        actions = []
        for (rule, before, after), decision in sorted(self.accepted.items()):
            jobs = [record for record in self.records if (record.rule, record.content["code"]) == (rule, before)]
            who = self._add(f"#person-{quote(decision.who)}", "Person", name=decision.who)
            action = {
                "name": f"accept what {before} made in place of {after}",
                "agent": who,
                "object": [self._entities[_job_id(record)] for record in jobs],
                "endTime": decision.when,
                "description": decision.why,
            }
            if jobs:
                actions.append(self._add(f"#acceptance-{rule}-{before}-{after}", "AcceptAction", **action))
        return actions

    def _add_job(self, record: Record) -> Any:
        name = " ".join(
            [record.rule, *(f"{key}={value}" for key, value in record.content.get("wildcards", {}).items())]
        )
        self._add_file(_from_crate(record.path), "File", name=f"record of {name}", encodingFormat="application/json")
        parameters = [self._add_parameter(record.rule, *item) for item in sorted(record.parameters.items())]
        return self._add(
            _job_id(record),
            "CreateAction",
            name=name,
            instrument=self._entities[f"#tool-{record.rule}"],
            object=[*(self._file(file) for file in record.inputs), *parameters],
            result=[self._file(file) for file in record.outputs],
            subjectOf=self._entities[quote(_from_crate(record.path))],
            actionStatus="http://schema.org/CompletedActionStatus",
            **self._times([record]),
        )

    def _add_parameter(self, rule: str, name: str, value: Any) -> Any:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        identifier = hashlib.sha256(f"{rule} {name} {text}".encode()).hexdigest()[:16]
        return self._add(f"#parameter-{identifier}", "PropertyValue", name=name, value=text)

    def _ends(self) -> dict[str, list[Any]]:
        """What the run as a whole began with, and what no job of it used any further."""
        read = {file["path"]: file for record in self.records for file in record.inputs}
        of_jobs = self.made.keys() | {record.path for record in self.records}
        given = [self._file(file) for path, file in sorted(read.items()) if path not in of_jobs]
        left = [self._file(file) for path, (_, file) in sorted(self.made.items()) if path not in read]
        return {"object": given, "result": left}

    def _file(self, file: dict[str, Any]) -> Any:
        """A file as it lies in the run; or, if it is not there with these bytes, what is known of it."""
        path, digest = Path(file["path"]), file["sha256"]
        current = file["path"] in self.made and self.made[file["path"]][1]["sha256"] == digest
        if current and not path.is_absolute() and (self.run / path).is_file():
            properties = {"contentSize": str(file.get("bytes", "")), "sha256": digest}
            return self._add_file(_from_crate(file["path"]), "File", name=file["path"], **properties)
        return self._add(f"#sha256-{digest}", "CreativeWork", name=path.name, sha256=digest)

    def _times(self, records: list[Record]) -> dict[str, str]:
        started = min((record.content["started"] for record in records if "started" in record.content), default="")
        return {"startTime": started, "endTime": max((record.ended for record in records), default="")}

    def _add_file(self, path: str, kind: str | list[str], **properties: Any) -> Any:
        return self._add_once(DataEntity, quote(path), kind, properties)

    def _add(self, identifier: str, kind: str | list[str], **properties: Any) -> Any:
        return self._add_once(ContextEntity, identifier, kind, properties)

    def _add_once(self, cls: type, identifier: str, kind: str | list[str], properties: dict[str, Any]) -> Any:
        if identifier not in self._entities:
            entity = self.crate.add(cls(self.crate, identifier, {"@type": kind}))
            for name, value in properties.items():
                if value not in ("", []):
                    entity[name] = value
            self._entities[identifier] = entity
        return self._entities[identifier]


def _job_id(record: Record) -> str:
    return f"#job-{quote(record.path)}"


def _from_crate(path: str) -> str:
    return Path(os.path.relpath(path, CRATE)).as_posix()
