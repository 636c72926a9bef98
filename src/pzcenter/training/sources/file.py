"""A file of the user."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pzcenter.catalogs.storage import file_sha256
from pzcenter.errors import ChecksumError, NotFoundError
from pzcenter.training.sources.protocol import Answer

if TYPE_CHECKING:
    from pzcenter.training.sources.protocol import Visit
    from pzcenter.training.sources.request import SourceRequest

__all__ = ["FileConnector"]


class FileConnector:
    """Options: ``path``; ``format``, ``group`` (how to read it), ``sha256`` (what it must be).

    The file stays where it is; its checksum is kept.
    """

    name = "file"

    def fetch(self, request: SourceRequest, visit: Visit) -> Answer:
        """Point at the file.

        Raises
        ------
        NotFoundError
            There is no such file.
        ChecksumError
            The file is not the one that the request names by its SHA-256.
        """
        del visit
        request.allow_only("path", "format", "group", "sha256")
        path = Path(str(request.required("path"))).expanduser().absolute()
        if not path.is_file():
            raise NotFoundError(f"there is no file {path}; a source of kind `file` names one file of a catalogue")
        wanted = str(request.options.get("sha256", "")).lower()
        if wanted and (seen := file_sha256(path)) != wanted:
            raise ChecksumError(f"{path} has SHA-256 {seen}, and the source says {wanted}: the file was changed")
        return Answer(path.as_uri(), path=path, in_place=True)
