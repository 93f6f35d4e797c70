"""What docs/reading.md has to read the results with works in the folder of a run, elsewhere than where it was made."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from workflow_runs import REPOSITORY

pytestmark = pytest.mark.workflow

PAGE = (REPOSITORY / "docs/reading.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE, flags=re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library as `pip install .` unpacks it."""
    folder = tmp_path_factory.mktemp("library")
    uv = Path(sys.executable).with_name("uv")
    subprocess.run([uv, "build", "--wheel", "--quiet", "--out-dir", folder, REPOSITORY], check=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "installed")
    return folder / "installed"


def test_the_code_of_the_page_reads_a_copied_run(run: Path, library: Path) -> None:
    """All blocks in one process, in their order: each imports what it uses, as a reader copies one of them."""
    assert len(BLOCKS) >= 8
    program = "\n".join(
        f"exec(compile({block!r}, 'block {number}', 'exec'), {{}})" for number, block in enumerate(BLOCKS)
    )
    environment = {"PYTHONPATH": str(library), "MPLBACKEND": "agg", "PATH": "/usr/bin:/bin"}
    subprocess.run([sys.executable, "-c", program], cwd=run, env=environment, check=True)
    assert (run / "orders.png").stat().st_size > 1000


def test_the_library_alone_imports_neither_snakemake_nor_torch(library: Path) -> None:
    program = (
        "import sys, bioscan1m; from bioscan1m import ImagePackage, read_boxes; "
        "assert not {'snakemake', 'torch', 'transformers'} & set(sys.modules), sorted(sys.modules)"
    )
    environment = {"PYTHONPATH": str(library), "PATH": "/usr/bin:/bin"}
    subprocess.run([sys.executable, "-c", program], cwd=library.parent, env=environment, check=True)
