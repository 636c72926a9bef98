"""HDF5 files may point to other files; those that do are not read, lest they show what is on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pzcenter.errors import FileFormatError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["refuse_pointers"]

MAX_OBJECTS = 100_000


def refuse_pointers(path: Path) -> None:
    """Refuse an HDF5 file with external links, external storage or virtual data sets.

    Parameters
    ----------
    path : Path

    Raises
    ------
    FileFormatError
        There is one; or the file is damaged, or has more than 100,000 objects.
    """
    import h5py

    try:
        with h5py.File(path, "r") as file:
            _walk(file, path)
    except FileFormatError:
        raise
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
        raise FileFormatError(f"{path} cannot be read as HDF5; it is damaged or cut short: {error}") from error


def _walk(file: Any, path: Path) -> None:
    import h5py

    seen: set[int] = set()
    waiting = [file]
    while waiting:
        group = waiting.pop()
        for name in group:
            link = group.get(name, getlink=True)
            if isinstance(link, h5py.SoftLink):
                continue
            if not isinstance(link, h5py.HardLink):
                raise FileFormatError(f"{path}: {group.name}/{name} lies in another file; put it into this one")
            node = group[name]
            address = h5py.h5o.get_info(node.id).addr
            if address in seen:
                continue
            seen.add(address)
            if len(seen) > MAX_OBJECTS:
                raise FileFormatError(f"{path} has more than {MAX_OBJECTS} objects")
            if isinstance(node, h5py.Group):
                waiting.append(node)
            elif isinstance(node, h5py.Dataset) and (node.is_virtual or node.external):
                raise FileFormatError(f"{path}: the values of {node.name} lie in another file; put them into this one")
