"""One digest for the code of a rule: of all in its script, and in the library that it uses, that can change a result.

Snakemake compares only the time stamp of the script file: it would miss an edit of the library, and a fresh checkout
would run everything again. The digest is that of a text, which is made in these steps:

1. The script's effects are written (definitions.py), each name of the library as the number of its definition.
2. Each definition that got a number is written in the same way, in the order of the numbers, until there are no more.
   So the names of functions and the places of modules do not count.
3. The arguments of an error count only where code that was reached uses such an error after it caught it; otherwise
   they are a message that ends the job. The caught types are known only after a walk through the code, so the walk is
   repeated until it finds no further ones.
4. The effects of all other modules that are imported, and the tables, styles and scripts in the folder of a reached
   module's name (`published/` for `published.py`), are added.

docs/updates.md has examples, and the reasons. Every job of a cluster plans anew, so the digests are stored, with the
digest of all sources, beside the modules that Python compiles.
"""

from __future__ import annotations

import builtins
import gzip
import hashlib
import json
import uuid
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import cache
from importlib.util import cache_from_source
from pathlib import Path
from typing import NamedTuple

from bioscan1m.jobs.code_parts import Caught, ErrorText, Part, Reference
from bioscan1m.jobs.counted_syntax import ENDS_JOB, NOT_COUNTED
from bioscan1m.jobs.definitions import Module, read_module

LIBRARY = Path(__file__).parents[1]
SCRIPTS = LIBRARY.parent
# Compressed, so that grep does not print its one long line.
KEPT = Path(cache_from_source(str(LIBRARY / "code_digests.py"))).with_suffix(".json.gz")

# Files beside modules that are part of what these write: tables, and the style and script of a page.
COUNTED_FILES = ("*.tsv", "*.css", "*.js")

# Built-in errors whose arguments are more than text.
MADE_OF_VALUES = frozenset({"OSError", "StopIteration"})


class Definition(NamedTuple):
    """A name that a module of the library defines."""

    module: str
    name: str


@cache
def code_digest(script: str) -> str:
    """`<script>:<first 16 hex digits>` for a script of workflow_scripts, named without suffix.

    The name is part of it because Snakemake's messages on changed parameters do not name the parameter.
    """
    return f"{script}:{_digests()[script]}"


class Code:
    """The scripts in a folder and the packages beside them, each module parsed once."""

    def __init__(self, scripts: Path) -> None:
        self.scripts = scripts
        self.roots = frozenset(path.stem for path in scripts.iterdir() if _is_code(path))
        self._modules: dict[str, Module] = {}
        self.resolve = cache(self._resolve)
        self._file = cache(self._find_file)

    def digests(self) -> dict[str, str]:
        """The digests of all scripts, by their names without suffix."""
        return {path.stem: self.digest(path.stem) for path in sorted(self.scripts.glob("*.py"))}

    def digest(self, script: str) -> str:
        """The digest of a script, named without suffix."""
        return hashlib.sha256(self.content(script).encode()).hexdigest()[:16]

    def content(self, script: str) -> str:
        """The text whose digest is that of a script."""
        own = _walk(self, self.module(script).effects)
        others = self.imported_for(script) - {script}
        pieces = (effect for name in others for effect in self.module(name).effects)
        effects = sorted(_walk(self, [effect], own.caught).text for effect in pieces)
        files = (file for name in {reached.module for reached in own.reached} for file in self._files_beside(name))
        contents = sorted(f"{file.name}\n{file.read_text(encoding='utf-8')}" for file in files)
        return "\n".join([own.text, *effects, *contents])

    def module(self, name: str) -> Module:
        """A script, or a module of a package beside it, by its dotted name."""
        if name not in self._modules:
            path = self._file(name)
            self._modules[name] = read_module(path.read_bytes() if path else b"", name, self.roots)
        return self._modules[name]

    def is_module(self, name: str) -> bool:
        """Whether a dotted name is that of a module or a folder of them."""
        return self._file(name) is not None or self.scripts.joinpath(*name.split(".")).is_dir()

    def _resolve(self, reference: Reference) -> tuple[Definition | str, tuple[str, ...]]:
        """The definition that a reference leads to, or the dotted name of anything else, and the remaining attributes.

        `bioscan1m.boxes.geometry` with `area.__doc__`, say, leads to the definition `area` and leaves `__doc__`.
        """
        steps = [*reference.name.split("."), *reference.attributes]
        dotted = steps.pop(0)
        while steps and self.is_module(f"{dotted}.{steps[0]}"):
            dotted = f"{dotted}.{steps.pop(0)}"
        if not steps:
            return dotted, ()
        name, attributes = steps[0], tuple(steps[1:])
        module = self.module(dotted)
        if name in module.definitions:
            return Definition(dotted, name), attributes
        if name not in module.imports:
            return f"{dotted}.{name}", attributes
        imported = module.imports[name]
        if imported.partition(".")[0] in self.roots:
            return self.resolve(Reference(imported, attributes))
        return imported, attributes

    def classes_above(self, kind: str | Reference) -> set[str] | None:
        """The names of a class and of all its base classes; None where one of them is unknown."""
        if isinstance(kind, str):
            builtin = _builtin_class(kind)
            return None if builtin is None else {one.__name__ for one in builtin.__mro__}
        meant, _ = self.resolve(kind)
        if isinstance(meant, str) or meant.name not in self.module(meant.module).bases:
            return None
        names = {meant.name}
        for base in self.module(meant.module).bases[meant.name]:
            above = self.classes_above(base)
            if above is None:
                return None
            names |= above
        return names

    def imported_for(self, script: str) -> set[str]:
        """The script, and every module of the library that it imports, directly or through others."""
        found, waiting = {script}, [script]
        while waiting:
            dotted = (name for name in self.module(waiting.pop()).imported if name.partition(".")[0] in self.roots)
            steps = {".".join(name.split(".")[:depth]) for name in dotted for depth in range(1, name.count(".") + 2)}
            new = {name for name in steps if self.is_module(name)} - found
            found |= new
            waiting += new
        return found

    def _find_file(self, name: str) -> Path | None:
        """The file of a module."""
        place = self.scripts.joinpath(*name.split("."))
        return next((path for path in (place.with_suffix(".py"), place / "__init__.py") if path.is_file()), None)

    def _files_beside(self, name: str) -> list[Path]:
        folder = self.scripts.joinpath(*name.split("."))
        return [file for kind in COUNTED_FILES for file in folder.glob(kind)]


class Walked(NamedTuple):
    """The text of pieces of code and of all that they reach, the definitions reached and the types of caught errors."""

    text: str
    reached: list[Definition]
    caught: frozenset[str]


def _walk(code: Code, pieces: list[list[Part]], caught: frozenset[str] = frozenset()) -> Walked:
    """Write pieces of code with all that they reach; `caught` names types of errors that other code catches."""
    while True:
        walk = _Walk(code, caught)
        text = "".join(walk.texts(pieces))
        if walk.found == caught:
            return Walked(text, walk.reached, caught)
        caught = frozenset(walk.found)


class _Walk:
    """One walk through the code: it numbers each definition at its first use, and collects types of caught errors."""

    def __init__(self, code: Code, caught: frozenset[str]) -> None:
        self._code, self._caught = code, caught
        self.reached: list[Definition] = []
        self._numbers: dict[Definition, int] = {}
        self.found = set(caught)

    def texts(self, pieces: Iterable[list[Part]]) -> Iterator[str]:
        """The text of the pieces, then that of each definition after its number."""
        for piece in pieces:
            yield from self._written(piece)
        for number, definition in enumerate(self.reached, 1):  # which grows meanwhile
            yield f"\n{number}: "
            yield from self._written(self._code.module(definition.module).definitions[definition.name])

    def _written(self, parts: Iterable[Part]) -> Iterator[str]:
        for part in parts:
            if isinstance(part, str):
                yield part
            elif isinstance(part, Reference):
                yield self._meaning(part)
            elif isinstance(part, Caught):
                self.found |= {self._class_name(kind) for kind in part.types}
            elif self._counts(part):
                yield from self._written(part.parts)

    def _meaning(self, reference: Reference) -> str:
        """A reference as the number of its definition, with the attributes that follow."""
        meant, attributes = self._code.resolve(reference)
        if isinstance(meant, str):  # a module as a whole, or a name of another package
            names = sorted(self._code.module(meant).definitions)
            numbers = [str(self._number(Definition(meant, name))) for name in names]
            text = f"Module({', '.join(numbers or [meant])})"
        else:
            text = meant.name if meant.name in NOT_COUNTED else f"#{self._number(meant)}"
        for attribute in attributes:
            text = f"Attribute({text}, {attribute})"
        return text

    def _number(self, definition: Definition) -> int:
        if definition not in self._numbers:
            self.reached.append(definition)
            self._numbers[definition] = len(self.reached)
        return self._numbers[definition]

    def _counts(self, error: ErrorText) -> bool:
        """Whether the arguments of an error count: whether code catches and uses an error of its class or of a base.

        They always count where the class is unknown, and for classes of MADE_OF_VALUES. For an error that ends the job
        a handler of a built-in base class, such as Exception, does not matter.
        """
        classes = self._code.classes_above(error.type)
        if classes is None or not classes.isdisjoint(MADE_OF_VALUES):
            return True
        if not classes.isdisjoint(ENDS_JOB):
            classes = {name for name in classes if name in ENDS_JOB or not hasattr(builtins, name)}
        return not classes.isdisjoint(self._caught)

    def _class_name(self, kind: str | Reference) -> str:
        """The name of a class in a handler; that of a base of all classes that it may be, where it is unknown."""
        if isinstance(kind, str):
            builtin = _builtin_class(kind)
            return "Exception" if builtin is None else builtin.__name__
        meant, _ = self._code.resolve(kind)
        if isinstance(meant, Definition) and meant.name in self._code.module(meant.module).bases:
            return meant.name
        return "BaseException"


def _builtin_class(name: str) -> type | None:
    found = getattr(builtins, name, None)
    return found if isinstance(found, type) else None


@cache
def _digests() -> dict[str, str]:
    """Script -> digest, as stored by another process for the same sources, or else computed and stored."""
    sources = _sources()
    with suppress(Exception):  # a damaged file is made anew
        kept = json.loads(gzip.decompress(KEPT.read_bytes()))
        if kept["sources"] == sources:
            return dict(kept["digests"])
    digests = Code(SCRIPTS).digests()
    if _sources() == sources:  # else they are of files that somebody has just edited
        _keep(digests, sources)
    return digests


def _is_code(path: Path) -> bool:
    return path.suffix == ".py" or (path / "__init__.py").is_file()


def _sources() -> str:
    """SHA-256 of all files that a digest can depend on."""
    digest = hashlib.sha256()
    for path in sorted(path for kind in ("*.py", *COUNTED_FILES) for path in SCRIPTS.rglob(kind)):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(SCRIPTS).as_posix()} {len(content)}\n".encode() + content)
    return digest.hexdigest()


def _keep(digests: dict[str, str], sources: str) -> None:
    """Store the digests for the next process where the checkout can be written to."""
    part = KEPT.with_name(f"{KEPT.name}.{uuid.uuid4().hex}")
    try:
        KEPT.parent.mkdir(parents=True, exist_ok=True)
        content = json.dumps({"sources": sources, "digests": digests})
        part.write_bytes(gzip.compress(content.encode(), compresslevel=1, mtime=0))
        part.replace(KEPT)
    except OSError:
        with suppress(OSError):
            part.unlink()
