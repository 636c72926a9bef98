"""A file at a public address."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pzcenter.catalogs.storage import file_sha256
from pzcenter.errors import ChecksumError
from pzcenter.training.sources.download import download
from pzcenter.training.sources.protocol import Answer
from pzcenter.training.sources.transport import Transport

if TYPE_CHECKING:
    from pzcenter.training.sources.protocol import Visit
    from pzcenter.training.sources.request import SourceRequest

__all__ = ["UrlConnector"]


class UrlConnector:
    """Options: ``url``; ``format``, ``group`` (how to read it), ``sha256`` (what it must be)."""

    name = "url"

    def fetch(self, request: SourceRequest, visit: Visit) -> Answer:
        """Download the file; a broken download is resumed, a version that is kept already is not sent again.

        Raises
        ------
        ChecksumError
            The file is not the one that the request names by its SHA-256.
        """
        request.allow_only("url", "format", "group", "sha256")
        url = str(request.required("url"))
        transport = Transport(visit.limits, allow_private=visit.allow_private)
        found = download(transport, url, visit.directory, known_etag=str(visit.previous.get("etag", "")))
        if found.path is None:
            return Answer(url, unchanged=True, etag=found.etag)
        wanted = str(request.options.get("sha256", "")).lower()
        if wanted and (seen := file_sha256(found.path)) != wanted:
            found.path.unlink()
            raise ChecksumError(f"{url} has SHA-256 {seen}, and the source says {wanted}: the file was changed")
        return Answer(found.url, path=found.path, etag=found.etag)
