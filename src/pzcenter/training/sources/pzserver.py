"""The main file of a product of a PZ Server."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pzcenter.catalogs.storage import file_sha256
from pzcenter.errors import ChecksumError, ConfigError, NotFoundError, UsageError
from pzcenter.training.sources.addresses import host_of
from pzcenter.training.sources.download import download, file_name_of
from pzcenter.training.sources.protocol import Answer
from pzcenter.training.sources.transport import Transport, unreachable

if TYPE_CHECKING:
    from pathlib import Path

    from pzcenter.training.sources.protocol import Visit
    from pzcenter.training.sources.request import SourceRequest

__all__ = ["TOKEN_VARIABLE", "PzServerConnector"]

TOKEN_VARIABLE = "PZ_SERVER_TOKEN"  # noqa: S105 - the name of a variable
POLL_S = 2.0


class PzServerConnector:
    """Options: ``host`` and ``product`` (its number); ``format``, ``group`` (how to read it).

    The token comes from the caller, or from the variable ``PZ_SERVER_TOKEN``. It is sent to the host alone.
    """

    name = "pzserver"

    def fetch(self, request: SourceRequest, visit: Visit) -> Answer:
        """Have the file prepared, wait for it, download it, compare its checksum.

        Raises
        ------
        NotFoundError
            No such product, or none that this token may see.
        UsageError
            No token or a wrong one, or the server could not prepare the file.
        ChecksumError
            The file is not what the server said.
        """
        request.allow_only("host", "product", "format", "group")
        host, product = str(request.required("host")).rstrip("/"), request.required("product")
        if not isinstance(product, int) or isinstance(product, bool) or product < 1:
            raise ConfigError(f"`product` is the number of a product; found {product!r}")
        token = visit.token or os.environ.get(TOKEN_VARIABLE, "")
        if not token:
            raise UsageError(f"{host_of(host)} needs a token: give it to fetch() or set {TOKEN_VARIABLE}")
        transport = Transport(visit.limits, allow_private=visit.allow_private)
        headers = {"Authorization": f"Token {token}"}
        told = transport.json(f"{host}/api/products/{product}/", headers=headers)
        path = _main_file(transport, f"{host}/api/products/{product}/", headers, visit)
        name = told.get("display_name", "") if isinstance(told, dict) else ""
        return Answer(f"{host}/api/products/{product}/", path=path, notes=(f"product {product}: {name}",))


def _main_file(transport: Transport, base: str, headers: dict[str, str], visit: Visit) -> Path:
    try:
        archive = transport.json(f"{base}download/main-file/prepare/", headers=headers, method="POST")
    except NotFoundError:
        # Older servers send the file at once.
        found = download(transport, f"{base}download_main_file/", visit.directory, name="main_file", headers=headers)
        assert found.path is not None
        return found.path
    archive = _wait(transport, base, headers, archive, visit.limits.query_s)
    url = str(archive.get("download_url", ""))
    if urlsplit(url)[:2] != urlsplit(base)[:2]:
        raise UsageError(f"{host_of(base)} sends to {url!r} for the file; the token goes to {host_of(base)} alone")
    name = file_name_of(f"/{archive.get('filename', '')}", "main_file")
    found = download(transport, url, visit.directory, name=name, headers=headers)
    assert found.path is not None
    wanted = str(archive.get("checksum") or "")
    if wanted and (seen := file_sha256(found.path)) != wanted:
        found.path.unlink()
        raise ChecksumError(f"{name} of {base} has SHA-256 {seen}, and the server says {wanted}; try again")
    return found.path


def _wait(transport: Transport, base: str, headers: dict[str, str], archive: Any, limit_s: float) -> dict[str, Any]:
    end = time.monotonic() + limit_s
    while True:
        status = archive.get("status") if isinstance(archive, dict) else None
        if status == "ready":
            return dict(archive)
        if status in {None, "failed", "not_found"}:
            told = archive.get("error_message", "") if isinstance(archive, dict) else ""
            raise UsageError(f"{host_of(base)} could not prepare the file: {told or status}")
        if time.monotonic() > end:
            raise unreachable(base, f"the file was not ready after {limit_s:g} s")
        time.sleep(POLL_S)
        archive = transport.json(f"{base}download/main-file/status/", headers=headers)
