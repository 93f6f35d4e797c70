"""The tables of roles: by the rule, or from the source's own columns, whose counts are compared with the rule's."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bioscan1m.foundation.errors import InputError
from bioscan1m.metadata.split_settings import Splits
from bioscan1m.metadata.split_shortfalls import NO_LABEL, TOO_FEW_FOR_PARTS, TOO_FEW_IN_PARENT
from bioscan1m.metadata.split_tables import build_splits
from bioscan1m.metadata.table import NO_SPLIT, NOT_CLASSIFIED
from bioscan1m.metadata.validation import validate_metadata

EXPERIMENTS = {"kinds": {"label": "kind"}, "some_kinds": {"parent": "kinds", "images": 20}}
FURTHER_TABLES = {"roles": "parquet", "counts": "tsv", "shortfalls": "tsv"}
IMAGES = 60


def metadata(folder: Path, **columns: list[str]) -> Path:
    """Two kinds, one of a single image, and an unknown one."""
    kinds = ["bee", NOT_CLASSIFIED, *(["ant", "wasp", "ant"] * 20)][:IMAGES]
    table = {
        "image_file": [f"{n}.jpg" for n in range(IMAGES)],
        "chunk_number": [str(n // 30 + 1) for n in range(IMAGES)],
        "kind": kinds,
        **columns,
    }
    pq.write_table(pa.table(table), folder / "validated.parquet")
    return folder / "validated.parquet"


def build(
    folder: Path,
    source: Path,
    policy: str = "auto",
    experiments=EXPERIMENTS,
    previous: Sequence[Path] = (),
    group: str | None = None,
    closed: bool = False,
    duplicates: str | None = None,
    copies: Path | None = None,
) -> dict[str, pd.DataFrame]:
    """The tables of the experiments, of all roles, of the counts and of the shortfalls."""
    ratios = {"train": 0.7, "validation": 0.1, "test": 0.2}
    splits = {"policy": policy, "seed": 1, "ratios": ratios, "experiments": experiments, "subset": "balanced"}
    splits |= {"group": group, "closed_subsets": closed, "duplicates": duplicates}
    paths = [folder / f"{name}.parquet" for name in experiments]
    written = {name: folder / f"{name}.{suffix}" for name, suffix in FURTHER_TABLES.items()}
    settings = Splits.from_config(splits)
    build_splits(source, settings, paths, **written, threads=2, previous=previous, duplicates=copies)
    tables = {name: pq.read_table(path).to_pandas() for name, path in zip(experiments, paths, strict=True)}
    tables["roles"] = pq.read_table(folder / "roles.parquet").to_pandas()
    return tables | {name: pd.read_csv(folder / f"{name}.tsv", sep="\t") for name in ("counts", "shortfalls")}


def test_a_table_has_the_rows_with_a_role_in_the_order_of_the_metadata(tmp_path):
    tables = build(tmp_path, metadata(tmp_path))
    kinds = tables["kinds"]
    assert list(kinds.columns) == ["image_file", "chunk_number", "label", "role"]
    assert kinds["image_file"].tolist() == [f"{n}.jpg" for n in range(2, IMAGES)]
    assert set(kinds["label"]) == {"ant", "wasp"}
    assert kinds["role"].value_counts().to_dict() == {"train": 40, "test": 12, "validation": 6}
    assert len(tables["some_kinds"]) == 20
    merged = tables["some_kinds"].merge(kinds, how="left")
    assert merged["role"].notna().all() and len(merged) == 20


def test_the_table_of_all_roles_says_for_every_row_what_the_others_say(tmp_path):
    tables = build(tmp_path, metadata(tmp_path))
    roles = tables["roles"].set_index("image_file").astype(str)
    assert roles.index.tolist() == [f"{n}.jpg" for n in range(IMAGES)]
    for name in EXPERIMENTS:
        own = tables[name].set_index("image_file")["role"]
        assert roles[name].tolist() == own.reindex(roles.index, fill_value=NO_SPLIT).tolist()


def test_copies_are_together_only_where_the_config_has_it_so(tmp_path):
    copies, source = tmp_path / "duplicates.tsv", metadata(tmp_path)
    alike = [f"{n}.jpg\t\t2.jpg" for n in range(2, 32)]
    copies.write_text("\n".join(["image_file\tequal_bytes\tnear_duplicate", *alike]) + "\n")
    roles = {}
    for asked in ("count", "together"):
        kinds = build(tmp_path, source, "fresh", duplicates=asked, copies=copies)["kinds"].set_index("image_file")
        roles[asked] = kinds["role"].reindex([f"{n}.jpg" for n in range(2, 32)])
    assert len(set(roles["together"])) == 1 and len(set(roles["count"])) == 3


def test_roles_of_the_source_are_not_changed_for_copies(tmp_path):
    columns = {name: ["train"] * IMAGES for name in EXPERIMENTS}
    with pytest.raises(InputError, match=r"splits.duplicates is together, but .* count, or split anew"):
        build(tmp_path, metadata(tmp_path, **columns), duplicates="together", copies=tmp_path / "duplicates.tsv")


def test_a_column_of_groups_goes_from_the_source_to_the_roles(tmp_path):
    source = tmp_path / "metadata.tsv"
    rows = [f"{n}.jpg\t1\t{'ant' if n % 2 else 'bee'}\tS{n // 4}" for n in range(80)]
    source.write_text("\n".join(["image_file\tchunk_number\tkind\tsampleid", *rows]) + "\n")
    validated, warnings = tmp_path / "validated.parquet", tmp_path / "warnings.tsv"
    arguments = {"validated": validated, "warnings": warnings, "threads": 1}
    with pytest.raises(InputError, match="no column plate"):
        validate_metadata(source, None, ["kind"], [], **arguments, group="plate")
    validate_metadata(source, None, ["kind"], [], **arguments, group="sampleid")
    kinds = build(tmp_path, validated, "fresh", {"kinds": {"label": "kind"}}, group="sampleid")["kinds"]
    specimens = kinds["image_file"].str.removesuffix(".jpg").astype(int) // 4
    assert len(kinds) == 80 and (kinds.groupby(specimens)["role"].nunique() == 1).all()


def test_a_run_without_experiments_has_rows_and_no_roles(tmp_path):
    tables = build(tmp_path, metadata(tmp_path), experiments={})
    assert list(tables["roles"].columns) == ["image_file"] and len(tables["roles"]) == IMAGES
    assert tables["counts"].empty


def test_counts_are_those_of_the_tables_and_of_the_rule(tmp_path):
    tables = build(tmp_path, metadata(tmp_path))
    counts = tables["counts"]
    assert list(counts.columns) == ["experiment", "class", "role", "images", "by_rule", "difference"]
    assert counts["experiment"].unique().tolist() == list(EXPERIMENTS)
    assert counts["role"].tolist()[:3] == ["train", "validation", "test"]
    assert (counts["difference"] == 0).all()
    for name in EXPERIMENTS:
        assert counts.loc[counts["experiment"] == name, "images"].sum() == len(tables[name])


def published_columns() -> dict[str, list[str]]:
    roles = [NO_SPLIT, NO_SPLIT, *(["train", "train", "validation", "test"] * 15)][:IMAGES]
    return {"kinds": roles, "some_kinds": [role if n < 30 else NO_SPLIT for n, role in enumerate(roles)]}


def test_auto_takes_the_published_columns_where_all_are_there(tmp_path):
    columns = published_columns()
    tables = build(tmp_path, metadata(tmp_path, **columns))
    for name in EXPERIMENTS:
        expected = {f"{n}.jpg": role for n, role in enumerate(columns[name]) if role != NO_SPLIT}
        assert dict(zip(tables[name]["image_file"], tables[name]["role"], strict=True)) == expected
    counts = tables["counts"]
    kinds = counts[counts["experiment"] == "kinds"].groupby("role")[["images", "by_rule", "difference"]].sum()
    assert kinds.loc["train"].tolist() == [30, 40, -10]
    assert kinds.loc["validation"].tolist() == [14, 6, 8]


@pytest.mark.parametrize(("policy", "missing"), [("fresh", None), ("auto", "some_kinds")])
def test_the_rule_is_applied_where_the_policy_says_or_a_column_is_not_there(tmp_path, policy, missing):
    columns = published_columns()
    columns.pop(missing, None)
    tables = build(tmp_path, metadata(tmp_path, **columns), policy)
    assert tables["kinds"]["role"].value_counts().to_dict() == {"train": 40, "test": 12, "validation": 6}


def test_a_published_role_without_label_is_left_out(tmp_path, caplog):
    columns = published_columns()
    columns["kinds"][1] = "train"
    tables = build(tmp_path, metadata(tmp_path, **columns))
    assert "1.jpg" not in set(tables["kinds"]["image_file"])
    assert rows_of(tables["shortfalls"]) == [("kinds", "", "", 1, 0, NO_LABEL)]
    assert f"kinds: 1 images: {NO_LABEL}" in caplog.text


def test_empty_cells_of_published_columns_are_no_role(tmp_path):
    columns = {name: [role.replace(NO_SPLIT, "") for role in roles] for name, roles in published_columns().items()}
    assert len(build(tmp_path, metadata(tmp_path, **columns))["kinds"]) == IMAGES - 2


def test_another_word_than_a_role_is_named_with_its_row(tmp_path):
    columns = published_columns()
    columns["kinds"][5] = "training"
    with pytest.raises(InputError, match=r"validated.parquet: kinds is 'training' in row 7, .* allowed are train, "):
        build(tmp_path, metadata(tmp_path, **columns))


def test_published_without_the_columns_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"splits.policy is published, but .* no column kinds, some_kinds"):
        build(tmp_path, metadata(tmp_path), "published")


def rows_of(shortfalls: pd.DataFrame) -> list[tuple]:
    assert list(shortfalls.columns) == ["experiment", "class", "role", "images", "wanted", "shortfall"]
    filled = shortfalls.astype({"class": object, "role": object}).fillna({"class": "", "role": "", "wanted": 0})
    return list(filled.itertuples(index=False, name=None))


def test_a_class_of_too_few_images_and_a_quota_above_the_data_are_listed_and_logged(tmp_path, caplog):
    experiments = {"kinds": {"label": "kind"}, "some_kinds": {"parent": "kinds", "images": 500}}
    kinds = ["fly", "fly", "beetle", *(["ant", "wasp", "ant"] * 19)]
    tables = build(tmp_path, metadata(tmp_path, kind=kinds), experiments=experiments)
    assert rows_of(tables["shortfalls"]) == [
        ("kinds", "beetle", "", 1, 0, TOO_FEW_FOR_PARTS),
        ("kinds", "fly", "", 2, 0, TOO_FEW_FOR_PARTS),
        ("some_kinds", "", "train", 39, 350, TOO_FEW_IN_PARENT),
        ("some_kinds", "", "validation", 6, 50, TOO_FEW_IN_PARENT),
        ("some_kinds", "", "test", 12, 100, TOO_FEW_IN_PARENT),
    ]
    assert f"kinds (fly): 2 images: {TOO_FEW_FOR_PARTS}" in caplog.text
    assert f"some_kinds (train): 39 images of 350: {TOO_FEW_IN_PARENT}" in caplog.text


def test_where_the_rule_gives_all_nothing_is_listed(tmp_path):
    tables = build(tmp_path, metadata(tmp_path, kind=["ant", "wasp"] * 30))
    assert tables["shortfalls"].empty and len(tables["kinds"]) == IMAGES


def release(folder: Path, rows: list[str], name: str = "release.tsv") -> Path:
    """A previous release as a TSV: image_file, and the roles in both experiments."""
    path = folder / name
    path.write_text("\n".join(["image_file\tkinds\tsome_kinds", *rows]) + "\n")
    return path


def test_a_previous_release_is_extended(tmp_path, caplog):
    caplog.set_level("INFO")
    rows = [f"{n}.jpg\t{'test' if n % 2 else 'train'}\t{'test' if n == 3 else NO_SPLIT}" for n in range(2, 12)]
    previous = release(tmp_path, [*rows, "gone.jpg\ttrain\ttrain"])
    tables = build(tmp_path, metadata(tmp_path), "extend", previous=[previous])
    roles = tables["kinds"].set_index("image_file")["role"]
    assert all(roles[f"{n}.jpg"] == ("test" if n % 2 else "train") for n in range(2, 12))
    assert roles.value_counts().to_dict() == {"train": 40, "test": 12, "validation": 6}
    assert "3.jpg" in set(tables["some_kinds"]["image_file"])
    assert "1 images of the previous release have no row any more" in caplog.text
    assert "kinds: 10 images keep their role, 0 leave, 48 join" in caplog.text


def test_an_older_release_speaks_for_images_without_a_role_in_the_newer(tmp_path, caplog):
    newer = release(tmp_path, ["2.jpg\ttest\ttest", "3.jpg\tno_split\tno_split"])
    older = release(tmp_path, ["2.jpg\ttrain\ttrain", *(f"{n}.jpg\ttest\ttest" for n in range(3, 12))], "older.tsv")
    with caplog.at_level("INFO"):
        roles = build(tmp_path, metadata(tmp_path), "extend", previous=[newer, older])["roles"].set_index("image_file")
    assert set(roles.loc[[f"{n}.jpg" for n in range(2, 12)], "kinds"]) == {"test"}
    assert "kinds: 10 images keep their role, 0 leave, 48 join" in caplog.text


def test_what_extending_adds_to_the_counts_of_the_rule_is_reported(tmp_path):
    """All ants were for training, so the rule's other parts stay empty and training has too many."""
    ants = [n for n in range(2, IMAGES) if (n - 2) % 3 != 1]
    previous = release(tmp_path, [f"{n}.jpg\ttrain\tno_split" for n in ants])
    counts = build(tmp_path, metadata(tmp_path), "extend", previous=[previous])["counts"]
    of_ants = counts[(counts["experiment"] == "kinds") & (counts["class"] == "ant")].set_index("role")
    assert of_ants["images"].tolist() == [len(ants), 0, 0]
    assert of_ants["difference"].tolist() == (of_ants["images"] - of_ants["by_rule"]).tolist() != [0, 0, 0]
    assert of_ants["difference"].sum() == 0


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("image_file\tfamily\n2.jpg\tapis\n", "no column of roles"),
        ("image_file,kinds\n2.jpg,train\n", "no column of roles"),
        ("name\tkinds\n2.jpg\ttrain\n", "no column image_file"),
        ("image_file\tkinds\nother.jpg\ttrain\n", "none of its 1 is"),
    ],
)
def test_a_previous_release_of_something_else_is_refused(tmp_path, content, named):
    (tmp_path / "last.tsv").write_text(content)
    with pytest.raises(InputError, match=rf"last\.tsv: .*{named}"):
        build(tmp_path, metadata(tmp_path), "extend", previous=[tmp_path / "last.tsv"])


def test_a_previous_release_with_a_wrong_word_or_an_image_twice_is_named(tmp_path):
    wrong = release(tmp_path, ["2.jpg\ttrain\tno_split", "3.jpg\ttrained\tno_split"])
    with pytest.raises(InputError, match=r"release\.tsv: kinds is 'trained' in row 3"):
        build(tmp_path, metadata(tmp_path), "extend", previous=[wrong])
    twice = release(tmp_path, ["2.jpg\ttrain\tno_split"] * 2)
    with pytest.raises(InputError, match=r"release\.tsv: image_file is not unique: '2\.jpg'"):
        build(tmp_path, metadata(tmp_path), "extend", previous=[twice])


@pytest.mark.parametrize("name", ["order", "kind"])
def test_an_experiment_must_not_have_the_name_of_a_column(tmp_path, name):
    with pytest.raises(InputError, match=rf"splits.experiments: {name} is a column of the metadata"):
        build(tmp_path, metadata(tmp_path), experiments={name: {"label": "kind"}})


def test_an_experiment_without_images_gives_an_empty_table(tmp_path):
    tables = build(tmp_path, metadata(tmp_path), experiments={"none": {"label": "kind", "where": {"kind": "fly"}}})
    assert len(tables["none"]) == 0 and len(tables["counts"]) == 0


def test_the_same_bytes_again(tmp_path):
    source = metadata(tmp_path)
    build(tmp_path, source)
    first = (tmp_path / "kinds.parquet").read_bytes()
    build(tmp_path, source)
    assert (tmp_path / "kinds.parquet").read_bytes() == first
