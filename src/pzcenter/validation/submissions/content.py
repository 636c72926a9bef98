"""What a file is, by its first bytes; what would run code when opened is refused here, before anything reads it."""

from __future__ import annotations

import bz2
import lzma
import re
import tarfile
import zlib
from typing import TYPE_CHECKING

from pzcenter.errors import EmptyTableError, FileFormatError, NotFoundError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["content_kind", "is_pickle_name", "is_pickled", "refuse_pickle"]

HEAD_BYTES = 512
PICKLE_SUFFIXES = (".pkl", ".pickle", ".p", ".joblib", ".dill", ".pt", ".pth", ".ckpt", ".sav", ".npy", ".npz")
_BINARY_PICKLE = re.compile(rb"\x80[\x02-\x05]")
_OLD_PICKLE = re.compile(
    rb"(\(lp\d|\(dp\d|\(lq.|\]q.|\}q.|\)q.|\(i[A-Za-z_]|c[A-Za-z_][\w.]*\r?\n[A-Za-z_]\w*\r?\n[pq(\)])"
)
_COMPRESSED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00")


def is_pickled(head: bytes) -> bool:
    """Whether bytes begin like a Python pickle of any protocol, or like an array file that holds one."""
    if head.startswith(b"\x93NUMPY"):
        return re.search(rb"'descr':\s*(\[[^\]]*)?'\|?O", head) is not None
    return _BINARY_PICKLE.match(head) is not None or _OLD_PICKLE.match(head) is not None


def is_pickle_name(name: str) -> bool:
    """Whether a file name ends as those of pickles and of models in Python do."""
    return name.lower().removesuffix(".gz").endswith(PICKLE_SUFFIXES[:-2])


def refuse_pickle(head: bytes, where: str) -> None:
    """Check that bytes, also compressed ones, are no pickle.

    Raises
    ------
    FileFormatError
        They are.
    """
    if is_pickled(head) or is_pickled(_uncompressed(head)):
        raise FileFormatError(
            f"{where} is a Python pickle, which could run any code and is never opened; hand in p(z) as qp HDF5, "
            f"Parquet, HDF5 or FITS"
        )


def _uncompressed(head: bytes) -> bytes:
    """First bytes of what is compressed; nothing where it is not."""
    decoder: zlib._Decompress | bz2.BZ2Decompressor | lzma.LZMADecompressor
    try:
        if head.startswith(b"\x1f\x8b"):
            decoder = zlib.decompressobj(wbits=31)
        elif head[:1] == b"\x78" and head[1:2] in (b"\x01", b"\x5e", b"\x9c", b"\xda"):
            decoder = zlib.decompressobj()
        elif head.startswith(b"BZh"):
            decoder = bz2.BZ2Decompressor()
        elif head.startswith(b"\xfd7zXZ\x00"):
            decoder = lzma.LZMADecompressor()
        else:
            return b""
        return bytes(decoder.decompress(head, HEAD_BYTES))
    except (zlib.error, OSError, lzma.LZMAError, EOFError):
        return b""


def content_kind(path: Path) -> str:
    """Kind of a path: ``directory``, ``hdf5``, ``parquet``, ``fits``, ``zip``, ``tar`` or ``text``.

    Parameters
    ----------
    path : Path

    Returns
    -------
    str

    Raises
    ------
    NotFoundError
        There is nothing at the path.
    FileFormatError
        A pickle, or neither a file nor a directory.
    EmptyTableError
        A file of 0 bytes.
    """
    if not path.exists():
        raise NotFoundError(f"there is no submission at {path}")
    if path.is_dir():
        return "directory"
    if not path.is_file():
        raise FileFormatError(f"{path} is neither a file nor a directory")
    with path.open("rb") as file:
        head = file.read(1 << 16)
    if not head:
        raise EmptyTableError(f"{path} is empty (0 bytes)")
    refuse_pickle(head, str(path))
    for magic, kind in {b"\x89HDF\r\n\x1a\n": "hdf5", b"PAR1": "parquet", b"SIMPLE  =": "fits", b"PK": "zip"}.items():
        if head.startswith(magic):
            return kind
    if _is_tar(path, head):
        return "tar"
    if b"\x00" in head and not head.startswith(b"\x1f\x8b"):
        raise FileFormatError(
            f"{path} begins with {head[:8]!r}, which no reader knows; accepted are HDF5, Parquet, FITS, CSV, "
            f"directories of a run, a package or a HATS catalogue, and zip or tar archives of one of these"
        )
    return "text"


def _is_tar(path: Path, head: bytes) -> bool:
    plain = head if not any(head.startswith(magic) for magic in _COMPRESSED) else _uncompressed(head)
    if plain[257:262] == b"ustar":
        return True
    return path.name.lower().endswith((".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz")) and tarfile.is_tarfile(path)
