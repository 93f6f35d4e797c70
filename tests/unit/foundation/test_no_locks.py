"""On a file system without locks (NFS, Lustre without flock) packages are written and read all the same."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import zipfile
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from workflow_runs import REPOSITORY

NO_LOCKS = """
#include <errno.h>
#include <stdlib.h>
int flock(int descriptor, int operation) { errno = atoi(getenv("LOCK_ERROR")); return -1; }
int lockf(int descriptor, int operation, long length) { errno = atoi(getenv("LOCK_ERROR")); return -1; }
"""
PACK_AND_READ = """
import sys
from pack_hdf5 import pack_hdf5
from bioscan1m.package.images import ImagePackage
from bioscan1m.foundation.scratch import staged
pack_hdf5(["shard.zip"], "package.hdf5", {"author": "a"})
print(list(ImagePackage("package.hdf5")))
with staged(["package.hdf5"], ".") as files:
    print(files)
"""


@pytest.mark.skipif(shutil.which("gcc") is None, reason="needs a C compiler")
@pytest.mark.parametrize("error", [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS])
def test_packages_and_scratch_need_no_locks(tmp_path: Path, error: int) -> None:
    (tmp_path / "locks.c").write_text(NO_LOCKS)
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", "locks.so", "locks.c"], cwd=tmp_path, check=True)
    image = BytesIO()
    Image.new("RGB", (10, 10)).save(image, "JPEG")
    with zipfile.ZipFile(tmp_path / "shard.zip", "w") as archive:
        archive.writestr("bioscan/images/cropped_256/part1/a.jpg", image.getvalue())
    settings = {"LD_PRELOAD": str(tmp_path / "locks.so"), "LOCK_ERROR": str(error)}
    settings |= {"PYTHONPATH": str(REPOSITORY / "workflow_scripts")}
    done = subprocess.run(
        [sys.executable, "-c", PACK_AND_READ],
        cwd=tmp_path,
        env=os.environ | settings,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "['a.jpg']\n['package.hdf5']\n", done.stderr
    assert not list(tmp_path.glob("bioscan1m-*"))
