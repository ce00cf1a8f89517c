"""New files for backups and exports: complete or not there at all, for their owner alone, in no other file's place."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from storage.database_files import SUFFIXES


class NewFileError(RuntimeError):
    """A file cannot be made; the text says why. No file of that name was left."""


@contextmanager
def new_file(file: Path, *, replace: bool = False) -> Iterator[Path]:
    """Yield the path of an empty file to fill, which gets its name, at once and on disk, when the block ends.

    Only its owner can read it. Where the block raises, it is deleted; a process that is killed leaves `FILE.….partial`.
    With `replace` it takes the place of a file of that name.

    Raises:
        NewFileError: the file exists already, unless it may be replaced, or cannot be written.
    """
    if not replace:
        _require_free(file)
    _require_directory(file.parent)
    partial = _create_partial(file)
    try:
        yield partial
        _sync(partial)
        if replace:
            partial.replace(file)
            _sync(file.parent)
        else:
            _name(partial, file)
    except OSError as error:
        raise NewFileError(f"{file} could not be written: {error.strerror}.") from None
    finally:
        for suffix in SUFFIXES:
            with suppress(OSError):
                Path(f"{partial}{suffix}").unlink()


def _require_free(file: Path) -> None:
    if file.exists() or file.is_symlink():
        raise NewFileError(f"{file} exists already and is not overwritten. Choose another name, or move it away.")


def _require_directory(directory: Path) -> None:
    if not directory.is_dir():
        raise NewFileError(f"{directory} is not a directory. Create it first.")


def _create_partial(file: Path) -> Path:
    try:
        descriptor, name = tempfile.mkstemp(".partial", f"{file.name}.", file.parent)  # for its owner alone
    except OSError as error:
        raise NewFileError(f"{file.parent} cannot be written to: {error.strerror}.") from None
    os.close(descriptor)
    return Path(name)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _name(partial: Path, file: Path) -> None:
    """Give a finished file its name, unless another one has it by now.

    Raises:
        NewFileError: another file has it.
    """
    try:
        os.link(partial, file)
    except FileExistsError:
        raise NewFileError(f"{file} was created by somebody else meanwhile and is not overwritten.") from None
    except OSError:  # the file system knows no hard links
        _require_free(file)
        partial.rename(file)
    _sync(file.parent)
