"""The table of docs/configuration.md has each key as the schema describes it."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from write_configuration_table import BEGIN, END, configuration_table, write_configuration_table

ROOT = Path(__file__).parents[3]
SCHEMA = """
properties:
  crop:
    properties:
      ratio: {description: growth, type: number, minimum: 1}
      aspect: {oneOf: [{type: "null"}, {type: array, items: {$ref: "#/$defs/count"}}]}
  packages:
    description: by name
    additionalProperties: {$ref: "#/$defs/file"}
  roles: {description: of rows, enum: [train, test]}
$defs:
  count: {type: integer, minimum: 1}
  file: {description: a file, type: object, properties: {source: {type: string}, checksum: {type: string}}}
"""


def test_a_row_has_meaning_what_is_allowed_and_the_value(tmp_path):
    (tmp_path / "schema.yaml").write_text(SCHEMA)
    (tmp_path / "config.yaml").write_text("{crop: {ratio: 1.4, aspect: null}, roles: train}")
    assert configuration_table(tmp_path / "schema.yaml", tmp_path / "config.yaml").splitlines()[2:] == [
        "| `crop.ratio` | growth | number from 1 | `1.4` |",
        "| `crop.aspect` |  | null or list: whole number from 1 | `null` |",
        "| `packages.NAME` | by name | `{source, checksum}` |  |",
        '| `roles` | of rows | `train`, `test` | `"train"` |',
    ]


def test_every_key_of_the_full_run_is_in_the_documentation_as_the_schema_has_it():
    table = configuration_table(ROOT / "rules/schemas/config.schema.yaml", ROOT / "config.yaml")
    page = (ROOT / "docs/configuration.md").read_text(encoding="utf-8")
    assert f"{BEGIN}\n\n{table}\n{END}" in page, "make docs brings it up to date"
    rows = {line.split("`")[1] for line in table.splitlines()[2:]}
    for section, keys in yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8")).items():
        for key in keys if isinstance(keys, dict) else [""]:
            wanted = f"{section}.{key}".rstrip(".")
            assert any(row in (wanted, section) or row.startswith(f"{wanted}.") for row in rows), wanted


def test_the_table_takes_its_place_in_a_document(tmp_path):
    document = tmp_path / "configuration.md"
    document.write_text(f"above\n{BEGIN}\n\nold\n{END}\nbelow\n")
    for _ in range(2):
        write_configuration_table(document, "new\n")
        assert document.read_text() == f"above\n{BEGIN}\n\nnew\n\n{END}\nbelow\n"
    document.write_text("none")
    with pytest.raises(ValueError, match="no place for the table"):
        write_configuration_table(document, "new")
