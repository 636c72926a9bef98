"""Lists of the files of many products, signed: what a mirror fetches, and can show later as what it was given.

A manifest gives no rights. Each file is fetched by whoever holds a token, and rights are looked at then: an embargo or
a change of sharing holds also for files on a list that was made before.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from pzcenter.errors import QuotaError, UsageError
from pzcenter.server.services.access import product_for
from pzcenter.server.services.audit import record
from pzcenter.server.services.principal import Scope
from pzcenter.server.services.signing import check_signature, sign
from pzcenter.server.storage.base import now

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy.orm import Session

    from pzcenter.server.services.context import Services
    from pzcenter.server.services.principal import Principal
    from pzcenter.server.storage.products import Product

__all__ = ["MAX_FILES", "MAX_PRODUCTS", "ManifestFile", "check_manifest", "make_manifest"]

FORMAT = "pzcenter-download-manifest"
MAX_PRODUCTS, MAX_FILES = 1000, 100_000
GOOD_SECONDS = 365 * 86_400.0
WORD = "download manifest"


@dataclass(frozen=True)
class ManifestFile:
    """A file on the list.

    Attributes
    ----------
    product : str
        Public name of the version.
    path : str
        Where it goes, below the directory of a mirror.
    size : int
    sha256 : str
    content_url : str
        Below the address of the interface.
    """

    product: str
    path: str
    size: int
    sha256: str
    content_url: str


def make_manifest(
    services: Services, session: Session, principal: Principal, products: Sequence[int | str]
) -> dict[str, Any]:
    """List the files of products that the asker sees.

    Parameters
    ----------
    services : Services
    session : Session
        One that writes: the list is noted in the audit log.
    principal : Principal
    products : sequence of int or str
        Numbers or public names.

    Returns
    -------
    dict
        JSON: ``format``, ``made_at``, ``files``, ``elsewhere`` (references, whose bytes are not here), ``n_bytes``,
        ``signature``, ``good_until``.

    Raises
    ------
    NotFoundError
        A product is not there, or not for the asker.
    UsageError
        No products, or too many products or files.
    QuotaError
        More bytes than a user may list at once; coordinators and admins may.
    """
    principal.need(Scope.READ)
    if not products or len(products) > MAX_PRODUCTS:
        raise UsageError(f"{len(products):,} products; 1 to {MAX_PRODUCTS:,} are accepted")
    rows = {row.id: row for row in (product_for(session, principal, key) for key in products)}
    files = [file for row in rows.values() for file in _files(row)]
    if len(files) > MAX_FILES:
        raise UsageError(f"{len(files):,} files; {MAX_FILES:,} are accepted in one manifest")
    n_bytes, most = sum(file.size for file in files), services.settings.manifest_bytes
    if n_bytes > most and not principal.curates:
        raise QuotaError(f"{n_bytes:,} bytes; {most:,} are accepted in one manifest, make several")
    elsewhere = [
        {"product": row.uid, "name": file.name, "reference": file.reference}
        for row in rows.values()
        for file in row.files
        if file.reference is not None
    ]
    told: dict[str, Any] = {
        "format": FORMAT, "made_at": now().isoformat(), "files": [asdict(each) for each in files],
        "elsewhere": elsewhere, "n_bytes": n_bytes,
    }  # fmt: skip
    signature, until = sign(services, (WORD, _digest(told)), seconds=GOOD_SECONDS)
    record(session, principal, "manifest.make", n_products=len(rows), n_files=len(files), n_bytes=n_bytes)
    return told | {"signature": signature, "good_until": until.isoformat()}


def check_manifest(services: Services, principal: Principal, manifest: dict[str, Any]) -> None:
    """Let no manifest pass that this server did not make, or whose time is over.

    Raises
    ------
    PermissionDeniedError
    """
    principal.need(Scope.READ)
    told = {name: value for name, value in manifest.items() if name not in {"signature", "good_until"}}
    check_signature(services, str(manifest.get("signature", "")), (WORD, _digest(told)))


def _files(product: Product) -> Iterator[ManifestFile]:
    """Files whose bytes are here, those of directories one by one."""
    taken: set[str] = set()
    folder = product.internal_name or product.uid
    for file in product.files:
        name = file.name if file.name.lower() not in taken else f"{file.id}-{file.name}"
        taken.add(name.lower())
        where = f"files/{file.id}"
        if file.is_directory:
            for part in file.parts:
                place = f"{where}/parts/{part.id}/content"
                yield ManifestFile(product.uid, f"{folder}/{name}/{part.path}", part.size, part.sha256, place)
        elif file.sha256 is not None:
            yield ManifestFile(product.uid, f"{folder}/{name}", file.size, file.sha256, f"{where}/content")


def _digest(told: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(told, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
