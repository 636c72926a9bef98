"""Archives with one table inside: unpacked with suspicion, once they are the main file of a product of tables."""

from __future__ import annotations

import mimetypes
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from uuid import uuid4

import pyarrow as pa

from pzcenter.errors import ConflictError, FileFormatError, StorageError
from pzcenter.server.services.access import Action, product_for
from pzcenter.server.services.audit import record
from pzcenter.server.services.directories import MAX_PARTS, MEDIA_TYPE, keep_parts
from pzcenter.server.services.product_files import check_quota, keep_blob, plain_name
from pzcenter.server.services.tables.sources import SourceFile, local_view
from pzcenter.server.storage.base import now
from pzcenter.validation.submissions.archives import ArchiveLimits, unpack
from pzcenter.validation.submissions.content import content_kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pzcenter.server.services.context import Services
    from pzcenter.server.services.principal import Principal
    from pzcenter.server.storage.store import StoredContent

__all__ = ["TableInside", "is_archive", "table_inside", "unpack_main_file", "unpacked"]

FOLDER = "unpacking"
ZSTD = b"\x28\xb5\x2f\xfd"
MAX_RATIO = 200.0
SMALL_BYTES = 64 << 20
COPY_BYTES = 1 << 20
HATS_FILES = ("collection.properties", "hats.properties", "properties")
BESIDE = {".md", ".txt", ".rst", ".pdf", ".html", ".yaml", ".yml", ".json", ".cff", ".bib", ".log"}
"""Endings of files that may lie beside the one table."""
BESIDE_NAMES = {"authors", "changelog", "changes", "citation", "copying", "licence", "license", "notice", "readme"}
"""Files without an ending that may lie beside it too, in large or small letters."""


@dataclass(frozen=True)
class TableInside:
    """What an archive holds.

    Attributes
    ----------
    path : Path
        A file, or the directory of a HATS catalogue.
    name : str
        Of the file or the catalogue.
    left_out : dict of str to str
        What is not kept, and why.
    """

    path: Path
    name: str
    left_out: dict[str, str]


def is_archive(path: Path) -> bool:
    """Whether a file is a zip or tar archive, or packed with zstd."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        if file.read(4) == ZSTD:
            return True
    return content_kind(path) in {"zip", "tar"}


@contextmanager
def unpacked(services: Services, path: Path, name: str) -> Iterator[TableInside]:
    """Unpack an archive for a while.

    Parameters
    ----------
    services : Services
    path : Path
    name : str
        Of the archive, as its owner calls it.

    Yields
    ------
    TableInside

    Raises
    ------
    FileFormatError
        No archive, one that holds not exactly one table, or one that is not to be trusted (see
        :func:`pzcenter.validation.submissions.archives.unpack`).
    """
    folder = services.settings.data_dir / FOLDER / uuid4().hex
    target = folder / "content"
    target.mkdir(parents=True)
    try:
        limits = _limits(services, path)
        with path.open("rb") as file:
            packed = file.read(4) == ZSTD
        left_out: dict[str, str] = {}
        if packed:
            inner = _without_zstd(path, folder / "inner", limits)
            if is_archive(inner):
                left_out = unpack(inner, target, limits=limits).left_out
            else:
                inner.rename(target / plain_name(name.removesuffix(".zst").removesuffix(".zstd")))
        else:
            left_out = unpack(path, target, limits=limits).left_out
        yield table_inside(target, name, left_out)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _limits(services: Services, path: Path) -> ArchiveLimits:
    """No more than one user may keep, and than the disk has room for."""
    free = shutil.disk_usage(services.settings.data_dir).free
    accepted = min(services.settings.quota_bytes, 4 * services.settings.max_upload_bytes)
    if free < 2 * path.stat().st_size:
        raise StorageError("the disk of the server has no room to unpack this")
    return ArchiveLimits(max_members=MAX_PARTS, max_bytes=min(accepted, free // 2), max_ratio=MAX_RATIO)


def _without_zstd(path: Path, target: Path, limits: ArchiveLimits) -> Path:
    size, n_bytes = max(path.stat().st_size, 1), 0
    try:
        with pa.input_stream(str(path), compression="zstd") as source, target.open("xb") as sink:
            while piece := source.read(COPY_BYTES):
                n_bytes += len(piece)
                if n_bytes > limits.max_bytes or (n_bytes > SMALL_BYTES and n_bytes / size > limits.max_ratio):
                    raise FileFormatError(
                        f"{path} unpacks to {n_bytes} bytes or more, {n_bytes / size:.0f} times its own size"
                    )
                sink.write(piece)
    except (pa.ArrowException, OSError) as error:
        raise FileFormatError(f"{path} cannot be uncompressed; it is damaged or cut short: {error}") from error
    return target


def table_inside(folder: Path, name: str, left_out: dict[str, str] | None = None) -> TableInside:
    """The one table below a directory: a HATS catalogue or collection, or a file.

    Parameters
    ----------
    folder : Path
    name : str
        Of the archive, for the message.
    left_out : dict of str to str, optional
        What was not unpacked.

    Returns
    -------
    TableInside

    Raises
    ------
    FileFormatError
        None, or several.
    """
    left_out = dict(left_out or {})
    roots = sorted(
        {path.parent for each in HATS_FILES for path in folder.rglob(each) if path.is_file()},
        key=lambda path: len(path.parts),
    )
    if roots:
        root = roots[0]
        others = [path for path in roots if root not in (path, *path.parents)]
        if others:
            raise FileFormatError(f"{name} holds several HATS catalogues; hand in one, or one collection")
        return TableInside(root, plain_name(_stem(name) if root == folder else root.name), left_out)
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    kept = []
    for path in files:
        inside = path.relative_to(folder)
        if any(part.startswith((".", "__MACOSX")) for part in inside.parts):
            left_out[str(inside)] = "not part of the table"
        else:
            kept.append(path)
    tables = [path for path in kept if not _is_beside(path)] or kept
    left_out |= {str(path.relative_to(folder)): "not the table" for path in kept if path not in tables}
    if len(tables) != 1:
        found = ", ".join(str(path.relative_to(folder)) for path in tables[:5]) or "nothing"
        raise FileFormatError(
            f"{name} must hold exactly one table or one HATS catalogue; found {found}"
            + (f" and {len(tables) - 5} more" if len(tables) > 5 else "")
        )
    return TableInside(tables[0], plain_name(tables[0].name), left_out)


def _is_beside(path: Path) -> bool:
    return path.suffix.lower() in BESIDE or path.name.lower() in BESIDE_NAMES


def unpack_main_file(services: Services, principal: Principal, source: SourceFile) -> tuple[SourceFile, dict[str, str]]:
    """Put the table inside the main file of a product in the place of its archive.

    Parameters
    ----------
    services : Services
        No session is open while the archive is unpacked.
    principal : Principal
    source : SourceFile

    Returns
    -------
    SourceFile
        Of the table.
    left_out : dict of str to str
        Members that were not kept, and why.

    Raises
    ------
    FileFormatError
        See :func:`unpacked`.
    QuotaError
        What is inside is more than the owner may keep.
    ConflictError
        The main file was changed meanwhile.
    """
    with unpacked(services, local_view(services, source), source.name) as inside:
        alone = services.store.put_file(inside.path) if inside.path.is_file() else None
        parts = {} if alone is not None else _into_store(services, inside.path)
    with services.database.writing() as session:
        product = product_for(session, principal, source.product_id, Action.FILL)
        file = product.main_file
        if file is None or file.id != source.id or file.sha256 != source.sha256:
            raise ConflictError(f"the main file of product {product.id} was changed while it was unpacked")
        size = sum(content.size for content in ([alone] if alone is not None else parts.values()))
        check_quota(services, session, product.owner_id, size - file.size)
        product.size += size - file.size
        file.size, file.updated_at = size, now()
        file.name, file.extension, file.sha256 = inside.name, "", None
        if alone is not None:
            file.blob = keep_blob(session, alone)
            file.extension = PurePosixPath(file.name).suffix.lower()
            file.media_type = mimetypes.guess_type(file.name)[0]
        else:
            file.media_type, file.is_directory = MEDIA_TYPE, True
            session.flush()
            keep_parts(session, file, parts)
        session.flush()
        record(session, principal, "file.unpack", ("product", product.id), archive=source.name, parts=len(parts))
        return SourceFile.of(file), inside.left_out


def _into_store(services: Services, path: Path) -> dict[str, StoredContent]:
    files = [each for each in sorted(path.rglob("*")) if each.is_file()]
    return {each.relative_to(path).as_posix(): services.store.put_file(each) for each in files}


def _stem(name: str) -> str:
    """Name of an archive without its endings."""
    plain = name
    for ending in (".zst", ".gz", ".xz", ".bz2", ".tar", ".tgz", ".zip"):
        plain = plain.removesuffix(ending)
    return plain or "catalogue"
