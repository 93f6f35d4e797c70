"""The version of this project stands in one place, and the changelog says what each one runs again."""

from __future__ import annotations

import re

from bioscan1m.jobs.environment import REPOSITORY, project_version

CHANGELOG = (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8")
ENTRIES = dict(re.findall(r"^## (\S+).*?\n(.*?)(?=^## |\Z)", CHANGELOG, flags=re.MULTILINE | re.DOTALL))
RULES = {
    name
    for file in (REPOSITORY / "rules").glob("*.smk")
    for name in re.findall(r"^\s*(?:use )?rule (\w+)", file.read_text(encoding="utf-8"), flags=re.MULTILINE)
}


def test_the_newest_entry_of_the_changelog_is_of_this_version():
    assert next(iter(ENTRIES)) == project_version()


def test_every_later_version_names_the_rules_that_run_again():
    for version, entry in list(ENTRIES.items())[:-1]:
        (named,) = re.findall(r"^Runs again by default: (.+?)[,.]", entry, flags=re.MULTILINE)
        rules = set(re.findall(r"`(\w+)`", named))
        assert rules <= RULES and (rules or named in ("all rules", "nothing")), version


def test_a_copy_of_the_workflow_alone_has_no_version(tmp_path, monkeypatch):
    monkeypatch.setattr("bioscan1m.jobs.environment.REPOSITORY", tmp_path)
    assert project_version() is None


def test_the_version_stands_nowhere_else():
    text = (REPOSITORY / "CITATION.cff").read_text(encoding="utf-8")
    assert not re.search(r"^version:", text, flags=re.MULTILINE)
