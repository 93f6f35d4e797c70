"""Both descriptions name licence, creators, columns and files, and every reference in Croissant leads somewhere."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from bioscan1m.audit.crate import METADATA
from bioscan1m.foundation.licences import licence_url
from bioscan1m.metadata.description import describe_dataset
from bioscan1m.metadata.table import PUBLISHED_COLUMNS, PUBLISHED_EXPERIMENTS, write_tsv

ATTRIBUTES = {
    "description": "Photographs",
    "copyright_holder": "holder",
    "copyright_institution": "institution",
    "photographer": "robot",
    "copyright_license": "Creative Commons (CC BY-NC-SA 4.0)",
    "copyright_contact": "someone@example.org",
    "copyright_year": "2021",
    "author": "author",
    "date": "2023-06-12",
}
PACKAGES = ["cropped_256.hdf5", "cropped_256.zip", "bioscan_images_cropped_full_part1-2.zip"]


@pytest.fixture
def described(tmp_path) -> tuple[dict, dict, Path]:
    """Schema.org, Croissant and the folder that holds metadata/ and packages/."""
    columns = [*PUBLISHED_COLUMNS, "kind"]
    table = tmp_path / "metadata/table.tsv"
    write_tsv(table, pa.table({name: ["1", "2", "2"] for name in columns}))
    packages = [tmp_path / "packages" / name for name in PACKAGES]
    packages[0].parent.mkdir()
    for path in packages:
        path.write_bytes(path.name.encode())
    outputs = table.with_suffix(".jsonld"), table.with_name("croissant.json")
    assert describe_dataset(table, packages, ATTRIBUTES, list(PUBLISHED_EXPERIMENTS), *outputs) == {"in": 3}
    return (*(json.loads(path.read_text()) for path in outputs), tmp_path)


def test_both_name_licence_creators_and_date(described):
    for description in described[:2]:
        assert description["license"] == "https://creativecommons.org/licenses/by-nc-sa/4.0/"
        assert description["creator"] == [{"@type": "Organization", "name": "author"}]
        assert description["datePublished"] == "2023-06-12"
        assert "3 rows" in description["description"] and "2 chunks" in description["description"]


def test_both_name_the_crate_of_the_run(described):
    for description in described[:2]:
        crate = Path("results/metadata") / description["subjectOf"]["url"]
        assert Path(os.path.normpath(crate)) == Path(METADATA)


def test_files_have_paths_sizes_and_digests(described):
    schema_org, croissant, folder = described
    objects = [file for file in croissant["distribution"] if file["@type"] == "cr:FileObject"]
    for files in (schema_org["distribution"], objects):
        assert [file["name"] for file in files] == ["table.tsv", *PACKAGES]
        for file in files:
            data = (folder / "metadata" / file["contentUrl"]).read_bytes()
            assert file["contentSize"] == f"{len(data)} B"
            assert file["sha256"] == hashlib.sha256(data).hexdigest()


def test_every_column_is_described(described):
    variables = {variable["name"]: variable["description"] for variable in described[0]["variableMeasured"]}
    assert list(variables) == [*PUBLISHED_COLUMNS, "kind"]
    assert "no_split" in variables["small_insect_order"] and all(variables.values())
    fields = described[1]["recordSet"][0]["field"]
    assert [field["source"]["extract"]["column"] for field in fields] == list(variables)


def nodes(value) -> Iterator[dict]:
    """All objects inside a JSON value."""
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else []:
        yield from nodes(inner)


def test_every_reference_of_croissant_leads_to_a_node(described):
    found = [node for key, part in described[1].items() if key != "@context" for node in nodes(part)]
    identified = [node["@id"] for node in found if "@type" in node and "@id" in node]
    assert len(identified) == len(set(identified))
    assert {node["@id"] for node in found if "@id" in node} == set(identified)
    assert {"cropped_256-images", "specimens", "cropped_256/image"} <= set(identified)


def test_the_same_bytes_again(described):
    folder = described[2]
    outputs = [folder / "metadata" / name for name in ("table.jsonld", "croissant.json")]
    before = [path.read_bytes() for path in outputs]
    packages = [folder / "packages" / name for name in PACKAGES]
    describe_dataset(folder / "metadata/table.tsv", packages, ATTRIBUTES, list(PUBLISHED_EXPERIMENTS), *outputs)
    assert [path.read_bytes() for path in outputs] == before


@pytest.mark.parametrize(
    ("licence", "url"),
    [
        ("CC BY 4.0", "https://creativecommons.org/licenses/by/4.0/"),
        ("Creative Commons (CC BY-NC-ND 3.0)", "https://creativecommons.org/licenses/by-nc-nd/3.0/"),
        ("CC0", "https://creativecommons.org/publicdomain/zero/1.0/"),
        ("all rights reserved", "all rights reserved"),
    ],
)
def test_licence_url(licence, url):
    assert licence_url(licence) == url
