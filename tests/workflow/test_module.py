"""Another workflow uses this one as a module: its rules, under names of their own, and its files."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bioscan1m.audit.reproduction import reproduce
from workflow_runs import REPOSITORY, planned_jobs, small_config, write_config

pytestmark = pytest.mark.workflow

SNAKEFILE = """
configfile: "config.yaml"


module bioscan1m:
    snakefile:
        SNAKEFILE
    config:
        config


use rule * from bioscan1m as bioscan1m_*


rule count_rows:
    input:
        rules.bioscan1m_join_metadata.output.metadata,
    output:
        "rows.txt",
    shell:
        "wc -l < {input} > {output}"
"""
OF_CHECKOUT = f'"{REPOSITORY}/Snakefile"'
NEEDS_CLONE = "cannot run from a git repository or a web address: clone it"
NO_PREFIX = "a module of it takes no `prefix`"

# A storage plugin of Snakemake, as much of one as is needed to name it.
STORAGE_PLUGIN = """
from snakemake_interface_storage_plugins.storage_object import StorageObjectRead, StorageObjectWrite
from snakemake_interface_storage_plugins.storage_provider import StorageProviderBase


class StorageProvider(StorageProviderBase):
    example_queries = is_valid_query = classmethod(lambda cls, query=None: [])
    rate_limiter_key = default_max_requests_per_second = use_rate_limiter = lambda self, *_: None


class StorageObject(StorageObjectRead, StorageObjectWrite):
    pass
"""


def write_workflow(folder: Path, snakefile: str = OF_CHECKOUT, further: str = "") -> None:
    """Another workflow, with this one as a module of this Snakefile, and with further keywords."""
    text = SNAKEFILE.replace("SNAKEFILE", snakefile).replace("        config\n\n", f"        config\n{further}\n", 1)
    (folder / "Snakefile").write_text(text)


@pytest.fixture
def other_workflow(new_run: Path) -> Path:
    """A folder with a Snakefile of its own and the small run's input."""
    write_workflow(new_run)
    return new_run


def call(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Snakemake, called in the folder of the other workflow."""
    command = [sys.executable, "-m", "snakemake", "--cores", "2", *arguments]
    return subprocess.run(
        command,
        cwd=folder,
        env=os.environ | variables,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )


def run(folder: Path, *arguments: str) -> str:
    """The output of a call that succeeds."""
    done = call(folder, *arguments)
    assert done.returncode == 0, done.stdout[-6000:]
    return done.stdout


def refused(folder: Path, *arguments: str, **variables: str) -> str:
    """The output of a call that is refused, without a traceback."""
    done = call(folder, *arguments, **variables)
    assert done.returncode == 1 and "WorkflowError" in done.stdout and "Traceback" not in done.stdout, done.stdout
    return done.stdout


def test_its_rules_are_planned_and_run_from_there(other_workflow, small_run, tmp_path_factory) -> None:
    planned = planned_jobs(run(other_workflow, "bioscan1m_all", "--dry-run", "--quiet", "rules"))
    assert planned["bioscan1m_crop_chunk"] == 3 and planned["bioscan1m_train_classifier"] > 6
    run(other_workflow, "count_rows")
    metadata = "results/metadata/BIOSCAN_Insect_Dataset_metadata.tsv"
    assert (other_workflow / metadata).read_bytes() == (small_run / metadata).read_bytes()
    assert int((other_workflow / "rows.txt").read_text()) == len((small_run / metadata).read_text().splitlines())
    audit = [sys.executable, str(REPOSITORY / "workflow_scripts/audit_run.py"), str(other_workflow)]
    assert subprocess.run(audit, check=False, capture_output=True).returncode == 0
    assert metadata in reproduce(other_workflow, metadata, tmp_path_factory.mktemp("again") / "scratch").equal


@pytest.mark.parametrize(
    "further",
    ['    prefix: "here"', '    replace_prefix: {"results/": "here/"}', '    replace_prefix: {"data": "here"}'],
)
def test_a_prefix_which_the_scripts_would_not_follow_is_refused(further: str, tmp_path: Path) -> None:
    write_config(tmp_path, small_config())
    write_workflow(tmp_path, further=further)
    assert NO_PREFIX in refused(tmp_path, "--dry-run")


@pytest.mark.parametrize("snakefile", ['"git+file://{0}/owner/name/Snakefile@main"', '"gh:owner/name@main:Snakefile"'])
def test_a_snakefile_in_a_git_repository_is_refused_with_what_to_do(snakefile: str, tmp_path: Path) -> None:
    """GitHub is a folder here."""
    write_config(tmp_path, small_config())
    write_workflow(tmp_path, snakefile.format(tmp_path))
    repository = tmp_path / "owner/name"
    repository.mkdir(parents=True)
    shutil.copy(REPOSITORY / "Snakefile", repository)
    author = ["-c", "user.name=Somebody", "-c", "user.email=somebody@example.org"]
    for command in (["init", "-q", "-b", "main"], ["add", "."], [*author, "commit", "-q", "-m", "The workflow"]):
        subprocess.run(["git", *command], cwd=repository, check=True)
    settings = {"KEY_0": f"url.file://{tmp_path}/.insteadOf", "VALUE_0": "https://github.com/", "COUNT": "1"}
    variables = {f"GIT_CONFIG_{name}": value for name, value in settings.items()}
    assert NEEDS_CLONE in refused(tmp_path, "--dry-run", XDG_CACHE_HOME=str(tmp_path / "cache"), **variables)


def test_a_default_storage_provider_is_refused(tmp_path: Path) -> None:
    plugin = tmp_path / "plugins/snakemake_storage_plugin_somewhere"
    plugin.mkdir(parents=True)
    (plugin / "__init__.py").write_text(STORAGE_PLUGIN)
    write_config(tmp_path, small_config())
    options = ("--snakefile", str(REPOSITORY / "Snakefile"), "--default-storage-provider", "somewhere", "--dry-run")
    assert "leave out --default-storage-provider" in refused(tmp_path, *options, PYTHONPATH=str(plugin.parent))
