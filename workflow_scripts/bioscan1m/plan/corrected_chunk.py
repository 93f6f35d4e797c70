"""Photographs that a user has corrected become the next chunk of a run, and their labels rows of its metadata."""

from __future__ import annotations

import logging
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from bioscan1m.foundation.archives import ZipReader, ZipWriter
from bioscan1m.foundation.atomic import write_aside
from bioscan1m.foundation.digests import file_digest
from bioscan1m.foundation.errors import InputError, UnreadableImage
from bioscan1m.foundation.image_keys import LONGEST_KEY, SEPARATOR, flatten_path
from bioscan1m.foundation.sources import local_path
from bioscan1m.foundation.tsv import as_tsv
from bioscan1m.foundation.user_tables import Dialect, refuse_faults
from bioscan1m.metadata.relabelling import Relabelling, is_one_of
from bioscan1m.metadata.source import open_source
from bioscan1m.metadata.split_settings import Splits
from bioscan1m.metadata.table import NO_SPLIT, read_header, stream_tsv
from bioscan1m.plan.corrections import read_corrections, read_lineages
from bioscan1m.plan.manifest import read_manifest
from bioscan1m.plan.own_labels import own_metadata_row

logger = logging.getLogger(__name__)

PHOTOGRAPHS = "photographs.zip"  # beside a table of predictions
PREDICTIONS = "predictions"  # the folder of a run in which each folder of photographs has its own


@dataclass(frozen=True)
class CorrectedRun:
    """What of a run a new chunk is added to."""

    folder: Path
    manifest: Path
    metadata: Path
    labels: tuple[str, ...]
    experiments: tuple[str, ...]
    relabelling: Relabelling

    @classmethod
    def read(cls, folder: Path) -> CorrectedRun:
        """That of a run's folder. Raises InputError where chunks or metadata are not the user's to add to."""
        path = folder / "config.yaml"
        if not path.is_file():
            raise InputError(f"{path}: no such file; --out names the run to which the corrected photographs are added")
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
        if config["entry"]["from"] != "originals":
            raise InputError(f"{path}: entry.from is {config['entry']['from']}; only a run from photographs can grow")
        splits = Splits.from_config(config["splits"])
        labels = tuple(dict.fromkeys(splits.task_of(name).label for name in splits.experiments))
        return cls(
            *(folder, folder / config["chunks"], _own_metadata(folder, path, config["metadata"])),
            *(labels, tuple(splits.experiments), Relabelling.from_config(config.get("labels"))),
        )


def add_corrected_chunk(table: Path, folder: Path, photographs: Sequence[Path], dialect: Dialect) -> None:
    """Add the photographs with a correction to a run as its next chunk; all is checked first.

    An image has its key of the predictions, below a folder of the name of these, so that it is known when it is
    corrected again: what the run has already stays as it is.

    Args:
        table: the table of predictions, with corrections.
        folder: the folder of the run.
        photographs: the zips of the photographs, several where the folder was predicted on in parts; none where they
            lie beside the table, or beside those of the parts.
        dialect: how the table is written, as far as it is stated.

    Raises:
        InputError: the run cannot grow, a correction cannot be used, or a photograph is missing.
    """
    run = CorrectedRun.read(folder)
    lineages = read_lineages(run.metadata, run.labels, run.relabelling)
    archives = _archives_of(table, photographs)
    place = flatten_path(_place_of(archives).lstrip(". "))
    labels = read_corrections(table, lineages, dialect)
    keys = {image_file: f"{place}{SEPARATOR}{image_file}" for image_file in labels}
    refuse_faults(table, [f"{key}: longer than {LONGEST_KEY} bytes" for key in keys.values() if _is_long(key)])
    known = _known(run, set(keys.values()))
    added = {image_file: key for image_file, key in keys.items() if key not in known}
    if known:
        logger.warning("%d photographs are in the run already and stay as they are there", len(known))
    if not added:
        raise InputError(f"{table}: all {len(keys)} corrected photographs are in {run.metadata} already")
    chunk = _next_name(run)
    path = folder / f"source/corrected{chunk}.zip"
    _pack(archives, table, added, path)
    rows = (own_metadata_row(key, chunk, labels[name], run.labels, further=run.labels) for name, key in added.items())
    _append(run.metadata, [row | dict.fromkeys(run.experiments, NO_SPLIT) for row in rows])
    facts = {"bytes": path.stat().st_size, "checksum": f"sha256:{file_digest(path)}"}
    _append(run.manifest, [{"chunk": chunk, "source": path.relative_to(folder).as_posix(), **facts}])
    logger.info("%s: %d photographs, chunk %s; their rows are in %s", path, len(added), chunk, run.metadata)


def _own_metadata(folder: Path, config: Path, metadata: Mapping[str, Any]) -> Path:
    """The metadata of a run, if rows can be added to it."""
    source = local_path(metadata["source"])
    if source is None:
        raise InputError(f"{config}: metadata.source is an address; name a copy on this machine, to which rows can go")
    if metadata.get("checksum"):
        raise InputError(f"{config}: metadata.checksum is stated, and rows are to be added; set it to null")
    path = folder / source
    if open_source(path).rows is not None:
        raise InputError(f"{path}: rows are added to tab-separated UTF-8 alone; save it as such")
    return path


def _archives_of(table: Path, photographs: Sequence[Path]) -> list[Path]:
    beside = table.with_name(PHOTOGRAPHS)
    of_parts = sorted(table.parent.glob(f"part*/{PHOTOGRAPHS}"))
    archives = [path.resolve() for path in photographs or (of_parts if of_parts and not beside.is_file() else [beside])]
    for path in archives:
        if not path.is_file():
            raise InputError(
                f"{path}: no such zip; name by --images the {PHOTOGRAPHS} that make predict wrote beside its table"
            )
    return archives


def _place_of(archives: list[Path]) -> str:
    """The name under which the folder or zip was predicted on, the same for all its parts."""
    places = sorted({_name_of_photographs(path) for path in archives})
    if len(places) > 1:
        raise InputError(f"--images: zips of {' and '.join(places)}; name those of one table of predictions")
    return places[0]


def _name_of_photographs(archive: Path) -> str:
    if archive.name != PHOTOGRAPHS:
        return archive.stem
    folder = archive.parent
    is_part = re.fullmatch(r"part\d+", folder.name) and folder.parent.name != PREDICTIONS
    return folder.parent.name if is_part else folder.name


def _is_long(key: str) -> bool:
    return len(key.encode()) > LONGEST_KEY


def _known(run: CorrectedRun, keys: set[str]) -> set[str]:
    """Those of the keys that the metadata have."""
    found: set[str] = set()
    for piece in stream_tsv(run.metadata, ["image_file"]):
        found.update(piece["image_file"].filter(is_one_of(piece["image_file"], keys)).to_pylist())
    return found


def _next_name(run: CorrectedRun) -> str:
    names = read_manifest(run.manifest)
    return str(max((int(name) for name in names if name.isdecimal()), default=len(names)) + 1)


def _pack(archives: list[Path], table: Path, added: Mapping[str, str], path: Path) -> None:
    """Write the photographs under their new keys, as file names. Raises InputError where some cannot be read."""
    with ExitStack() as opened:
        readers = [opened.enter_context(ZipReader(archive)) for archive in archives]
        members = {member.image_file: (reader, member) for reader in readers for member in reversed(reader.members)}
        where = archives[0] if len(archives) == 1 else f"the {len(archives)} zips of {archives[0].parent.parent}"
        refuse_faults(table, [f"{name}: not in {where}" for name in added if name not in members])
        chunk = opened.enter_context(ZipWriter(path))
        for name, key in added.items():
            reader, member = members[name]
            data = reader.read(member)
            if isinstance(data, UnreadableImage):
                raise InputError(f"{where}: {name}: {data}")
            chunk.add(f"{path.stem}/{key}", data)


def _append(path: Path, rows: list[dict[str, Any]]) -> None:
    """Add rows to a tab-separated table, in the order of its columns; what is there stays byte by byte."""
    columns = read_header(path)
    with write_aside(path) as part:
        shutil.copyfile(path, part)
        with part.open("rb+") as file:
            file.seek(-1, 2)
            line_end = b"" if file.read() == b"\n" else b"\n"
            file.write(line_end + as_tsv(_cells(rows, columns)).encode())


def _cells(rows: list[dict[str, Any]], columns: list[str]) -> Iterator[list[object]]:
    return ([row.get(column, "") for column in columns] for row in rows)
