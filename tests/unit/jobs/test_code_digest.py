"""The digest of a script changes with what its code does, and with nothing else."""

from __future__ import annotations

import ast
import gzip
import importlib.util
import shutil
from pathlib import Path

import pytest

from bioscan1m.jobs import code_digest as module
from bioscan1m.jobs.code_digest import LIBRARY, SCRIPTS, code_digest

FILES = {
    "crop_chunk.py": '"""Crop."""\nfrom bioscan1m.cropping import crop\nfrom bioscan1m.job import job\n\ncrop(1)\n',
    "other.py": "from bioscan1m.job import job\n",
    "tables.py": "def main():\n    from bioscan1m.published import published\n    published()\n\nmain()\n",
    "packaged.py": "import bioscan1m.synthetic.wells\n\nprint(bioscan1m.synthetic.wells.WELL)\n",
    "bioscan1m/__init__.py": '"""The library."""\n',
    "bioscan1m/cropping.py": "from bioscan1m import boxes\n\ndef crop(ratio):\n    return boxes.grow(ratio)\n",
    "bioscan1m/boxes.py": '"""Boxes."""\n\ndef grow(ratio):\n    """Grow."""\n    return ratio * 2\n',
    "bioscan1m/job.py": "from bioscan1m.jobs import now\n\ndef job():\n    return now()\n",
    "bioscan1m/errors.py": "class InputError(ValueError):\n    pass\n\nclass Unreadable(ValueError):\n    pass\n",
    "bioscan1m/jobs/__init__.py": "def now():\n    return 1\n",
    "bioscan1m/published.py": "def published():\n    return 1\n",
    "bioscan1m/published/table5.tsv": "a\tb\n",
    "bioscan1m/synthetic/__init__.py": "",
    "bioscan1m/synthetic/wells.py": "WELL = 1\n",
}

SYNTAX = """
class A(B, key=None):
    table: dict[str, tuple[int, ...]] = {**x, 'é\u2028': [-1, 1e300, 2j, b'\\0', ...]}

@A
async def f(a, /, *b: int, c: str = 'x', **d) -> None:
    async with a as e, b:
        yield f\"{a!r:>{c}} {d['k']} \\n {f'{a}'}\" 'more' if a else None
    match a:
        case {'k': [1, *_], **rest} if (n := rest):
            return
    try:
        x, *y = lambda: (yield)
    except (ValueError, OSError) as error:
        raise X from error


f()
"""


@pytest.fixture
def scripts(tmp_path: Path) -> Path:
    """A workflow_scripts folder of a few small files."""
    folder = tmp_path / "workflow_scripts"
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    shutil.copy(module.__file__, folder / "bioscan1m/jobs/code_digest.py")
    return folder


def digests(scripts: Path) -> dict[str, str]:
    """The digest of each script, by the copy of the module that lies in the folder."""
    spec = importlib.util.spec_from_file_location("copied_code_digest", scripts / "bioscan1m/jobs/code_digest.py")
    copied = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(copied)
    return {path.stem: copied.code_digest(path.stem) for path in sorted(scripts.glob("*.py"))}


def changed_by(scripts: Path, name: str, text: str) -> set[str]:
    """The scripts whose digest a new content of one file changes."""
    before = digests(scripts)
    (scripts / name).parent.mkdir(exist_ok=True)
    (scripts / name).write_text(text)
    after = digests(scripts)
    return {script for script in before if before[script] != after[script]}


def test_the_digest_names_its_script(scripts):
    name, _, digest = digests(scripts)["crop_chunk"].partition(":")
    assert name == "crop_chunk" and len(digest) == 16 and int(digest, 16) >= 0


@pytest.mark.parametrize(
    "text",
    [
        '"""Boxes."""\n\ndef grow(ratio):\n    """Grow."""\n    return ratio * 2  # twice\n',
        '"""All about boxes,\nat length."""\n\ndef grow(ratio):\n    """Make larger."""\n    return ratio * 2\n',
        "def grow(ratio):\n    return ratio * 2\n",
        '"""Boxes."""\n\n\n\ndef grow(\n    ratio,\n):\n    """Grow."""\n    return (\n        ratio * 2\n    )\n',
    ],
)
def test_comments_docstrings_and_layout_do_not_count(scripts, text):
    assert changed_by(scripts, "bioscan1m/boxes.py", text) == set()


@pytest.mark.parametrize(
    "text",
    [
        "def grow(ratio):\n    return ratio * 3\n",
        "def grow(ratio=1):\n    return ratio * 2\n",
        "def grow(ratio):\n    return ratio * 2.0\n",
        "import sys\n\nsys.dont_write_bytecode = True\n\ndef grow(ratio):\n    return ratio * 2\n",
        "import numpy\n\ndef grow(ratio):\n    return ratio * 2\n",
        "from functools import partial\n\n@partial\ndef grow(ratio):\n    return ratio * 2\n",
        'def grow(ratio):\n    name = "no docstring"\n    return ratio * 2\n',
    ],
)
def test_a_change_in_a_module_reached_by_way_of_another_counts(scripts, text):
    assert changed_by(scripts, "bioscan1m/boxes.py", text) == {"crop_chunk"}


def test_a_change_of_the_script_counts_for_it_alone(scripts):
    assert changed_by(scripts, "crop_chunk.py", FILES["crop_chunk.py"] + "crop(2)\n") == {"crop_chunk"}


def test_what_only_keeps_records_does_not_count(scripts):
    assert changed_by(scripts, "bioscan1m/job.py", "def job():\n    return 3\n") == set()
    assert changed_by(scripts, "bioscan1m/jobs/__init__.py", "def now():\n    return 3\n") == set()


def test_what_is_called_to_tell_of_progress_counts(scripts):
    told = "from bioscan1m.boxes import grow\n\ndef crop(ratio):\n    progress = Progress('crop', grow(ratio))\n"
    (scripts / "bioscan1m/cropping.py").write_text("from bioscan1m.progress import Progress\n" + told)
    assert changed_by(scripts, "bioscan1m/boxes.py", "def grow(ratio):\n    return ratio * 3\n") == {"crop_chunk"}


def test_a_module_that_nobody_imports_does_not_count(scripts):
    assert changed_by(scripts, "bioscan1m/new.py", "A = 1\n") == set()


def test_line_ends_do_not_count(scripts):
    for name in ("bioscan1m/published/table5.tsv", "crop_chunk.py"):
        assert changed_by(scripts, name, FILES[name].replace("\n", "\r\n")) == set()


@pytest.mark.parametrize("name", ["page.css", "page.js"])
def test_style_and_script_of_a_page_count(scripts, name):
    assert changed_by(scripts, f"bioscan1m/published/{name}", "new\n") == {"tables"}


def test_tables_beside_a_module_count_even_when_it_is_imported_late(scripts):
    assert changed_by(scripts, "bioscan1m/published/table5.tsv", "a\tc\n") == {"tables"}
    assert changed_by(scripts, "bioscan1m/published/table6.tsv", "new\n") == {"tables"}


def test_what_the_package_of_an_imported_module_does_counts(scripts):
    assert changed_by(scripts, "bioscan1m/synthetic/__init__.py", "print(1)\n") == {"packaged"}
    assert changed_by(scripts, "bioscan1m/__init__.py", "print(1)\n") == {"crop_chunk", "other", "packaged", "tables"}


def test_the_place_of_the_checkout_and_its_time_stamps_do_not_count(scripts, tmp_path):
    shutil.copytree(scripts, tmp_path / "elsewhere/workflow_scripts", copy_function=shutil.copyfile)
    assert digests(scripts) == digests(tmp_path / "elsewhere/workflow_scripts")


def test_what_was_digested_once_is_not_parsed_again(scripts, monkeypatch):
    before = digests(scripts)
    monkeypatch.setattr(ast, "parse", lambda *_, **__: pytest.fail("parsed again"))
    assert digests(scripts) == before


def test_digests_of_files_that_are_edited_meanwhile_are_not_kept(scripts, monkeypatch):
    boxes, parse = scripts / "bioscan1m/boxes.py", ast.parse
    boxes.write_text("def grow(ratio):\n    return ratio * 10\n")

    def parse_and_edit(*arguments, **named):
        tree = parse(*arguments, **named)
        boxes.write_text("def grow(ratio):\n    return ratio * 20\n")
        return tree

    with monkeypatch.context() as editing:
        editing.setattr(ast, "parse", parse_and_edit)
        before = digests(scripts)
    assert digests(scripts)["crop_chunk"] != before["crop_chunk"]


USELESS = {  # by a name, for compressed bytes differ from second to second
    "nothing": b"",
    "no gzip": b"no gzip",
    "an empty text": gzip.compress(b""),
    "half of a text": gzip.compress(b"{"),
    "a list": gzip.compress(b"[]"),
    "no digests": gzip.compress(b'{"sources": ""}'),
    "those of other sources": gzip.compress(b'{"sources": "", "digests": {"crop_chunk": "0"}}'),
}


@pytest.mark.parametrize("kept", USELESS)
def test_what_was_kept_is_made_anew_when_it_is_of_no_use(scripts, kept):
    before = digests(scripts)
    (file,) = scripts.glob("bioscan1m/__pycache__/code_digests.*")
    whole = file.read_bytes()
    file.write_bytes(USELESS[kept])
    assert digests(scripts) == before
    assert file.read_bytes() == whole


def test_a_checkout_that_cannot_be_written_to_has_the_same_digests(scripts):
    (scripts / "bioscan1m/__pycache__").write_text("a file where the folder would be")
    before = digests(scripts)
    (scripts / "bioscan1m/__pycache__").unlink()
    assert digests(scripts) == before


def test_all_versions_of_python_agree(scripts):
    """A run may be planned by one Python and audited by another; the value was computed with 3.11, 3.12 and 3.13."""
    (scripts / "syntax.py").write_text(SYNTAX, encoding="utf-8")
    assert digests(scripts)["syntax"] == "syntax:571f2d92117117b6"


def test_every_script_of_the_workflow_has_a_digest_of_its_own():
    scripts = [path.stem for path in SCRIPTS.glob("*.py")]
    assert len({code_digest(script) for script in scripts}) == len(scripts) > 5


def test_the_library_imports_in_the_way_that_the_digest_follows():
    """Relative and computed imports would go unnoticed; so would the names that the library gives to others."""
    for path in {*SCRIPTS.glob("*.py"), *LIBRARY.rglob("*.py")} - {LIBRARY / "__init__.py"}:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            assert not (isinstance(node, ast.ImportFrom) and node.level), f"{path}: relative import"
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
            assert "bioscan1m" not in [*names, getattr(node, "module", "")], f"{path}: names for others"
            assert "importlib" not in names and "import_module" not in names, f"{path}: computed import"
