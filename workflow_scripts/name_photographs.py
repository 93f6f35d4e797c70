"""Name a folder or zip of photographs for the target predict: print {name: path}, as inference.photographs has it.

    python workflow_scripts/name_photographs.py ~/photographs

The name is that of the folder and a short digest of its path, so that two folders of one name have a table each. A
folder of more than 10,000 photographs is divided into parts, which different jobs predict (docs/predictions.md).
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
import unicodedata
from pathlib import Path

from bioscan1m.fetch.image_folders import list_images
from bioscan1m.foundation.commands import as_command
from bioscan1m.foundation.errors import InputError
from bioscan1m.plan.new_photographs import FolderInParts, divide_folder

DIGITS = 8  # of the digest
LONGEST = 40  # letters of the folder's name: a file name has 255 bytes at most


def name_photographs(source: str) -> dict[str, str | FolderInParts]:
    """Name -> absolute path of a folder or zip; `~` is the home folder also where the shell left it as it is.

    A large folder is in parts.

    The name has the letters and digits of any script. Raises InputError where there is no such folder or zip, or
    no photograph in the folder.
    """
    if not source:
        raise InputError("make predict IMAGES=FOLDER: name a folder or zip of photographs")
    path = Path(source).expanduser()
    if not path.exists():
        raise InputError(f"make predict IMAGES=FOLDER: no folder or zip '{source}'")
    path = path.resolve()
    digest = hashlib.sha256(os.fsencode(path)).hexdigest()[:DIGITS]
    own = unicodedata.normalize("NFC", path.name if path.is_dir() else path.stem)
    words = re.sub(r"[^\w-]+", "_", own)[:LONGEST].strip("_")
    name = "-".join(filter(None, (words, digest)))
    return {name: divide_folder(str(path), list_images(path)) if path.is_dir() else str(path)}


def main() -> int:
    """The command."""
    try:
        sys.stdout.write(json.dumps(name_photographs(sys.argv[1]), ensure_ascii=False) + "\n")
    except (InputError, UnicodeEncodeError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    as_command(main)
