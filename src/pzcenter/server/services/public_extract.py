"""What everybody may know of a release, without an account: how many products, and a coarse n(z) of official ones.

Denied by default: a setting of the server and a flag of the release must both say yes. Only products that everybody
with rights to the release sees are counted. Numbers of objects come in wide cells, cells with few objects are left out,
the others are rounded, and nothing is told of what lies outside the cells: no single object, and no outlier, shows.

References
----------
Hundepool et al. 2012, *Statistical Disclosure Control*, Wiley, sections 5.2 (minimum frequency of cells) and 5.4
(rounding).
"""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from sqlalchemy import func, select

from pzcenter.errors import NotFoundError, PZCenterError
from pzcenter.server.services.access import seen_by_its_release
from pzcenter.server.services.notes import keep_note, note_of
from pzcenter.server.services.tables import SourceFile, open_file, source_of
from pzcenter.server.services.tables.opening import naming
from pzcenter.server.services.tables.rows import Deadline, stream
from pzcenter.server.storage.products import Product, ProductColumn, ProductType
from pzcenter.server.storage.releases import Release, ReleaseState

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from numpy.typing import NDArray
    from sqlalchemy.orm import Session

    from pzcenter.server.services.context import Services

__all__ = ["CELL", "MIN_OBJECTS", "ROUNDED_TO", "Z_MAX", "Extract", "make_extracts", "public_extracts", "safe_counts"]

log = logging.getLogger(__name__)

Z_MAX, CELL = 6.0, 0.2
"""Cells of redshift; what lies beyond them is not told."""
MIN_OBJECTS = 20
"""A cell with fewer objects is not told."""
ROUNDED_TO = 10
"""Counts of cells are told in tens."""
MAX_PRODUCTS = 100
"""Of one release, whose redshifts are read."""
SECONDS = 120.0
"""For reading one product; one that takes longer is left out."""


@dataclass(frozen=True)
class Extract:
    """What is told of a release.

    Attributes
    ----------
    release, title : str
    products : list of dict
        ``product_type``, ``n_products`` that everybody with rights to the release sees, ``n_official`` among them.
    histograms : list of dict
        By type of official products: ``product_type``, ``n_products``, ``z_edges``, ``n_objects`` (null: too few).
    made_at : datetime or None
        Of the histograms; None while they are not made.
    """

    release: str
    title: str
    products: list[dict[str, Any]]
    histograms: list[dict[str, Any]]
    made_at: datetime | None


def public_extracts(services: Services, session: Session) -> list[Extract]:
    """What everybody may know. Nobody needs to be signed in; this is the one question that needs no principal.

    Parameters
    ----------
    services : Services
    session : Session

    Returns
    -------
    list of Extract
        In the order of the names of the releases.

    Raises
    ------
    NotFoundError
        The server shows nothing to everybody.
    """
    if not services.settings.public_extract:
        raise NotFoundError("this server shows no public extract")
    return [_extract(session, release) for release in session.scalars(_releases())]


def make_extracts(services: Services) -> int:
    """Make histograms anew where official products have changed; part of keeping house.

    Parameters
    ----------
    services : Services

    Returns
    -------
    int
        Releases whose histograms were made.
    """
    if not services.settings.public_extract:
        return 0
    with services.database.reading() as session:
        official = [(release, _official(session, release)) for release in session.scalars(_releases())]
        waiting = {release.name: found for release, found in official if _noted(session, release, found) is None}
    for name, found in waiting.items():
        value = {"of": _fingerprint(found), "histograms": _histograms(services, found)}
        with services.database.writing() as session:
            keep_note(session, _note_name(name), value)
        log.info("public extract", extra={"release": name, "n_products": len(found)})
    return len(waiting)


def safe_counts(counts: NDArray[np.int64]) -> list[int | None]:
    """Counts that tell of no single object: cells with few are None, the others are rounded down.

    Parameters
    ----------
    counts : ndarray, (n_cell,)

    Returns
    -------
    list of int or None
    """
    return [None if n < MIN_OBJECTS else int(n) // ROUNDED_TO * ROUNDED_TO for n in counts]


@dataclass(frozen=True)
class _Official:
    """An official product with redshifts."""

    uid: str
    kind: str
    column: str
    source: SourceFile


def _releases() -> Any:
    shown = Release.public_extract & (Release.state != ReleaseState.DRAFT)
    return select(Release).where(shown).order_by(Release.name)


def _extract(session: Session, release: Release) -> Extract:
    wanted = (
        select(ProductType.name, func.count(), func.count().filter(Product.official))
        .join(Product, Product.product_type_id == ProductType.id)
        .where(Product.release_id == release.id, Product.is_latest, seen_by_its_release())
        .group_by(ProductType.name)
        .order_by(ProductType.name)
    )
    products = [
        {"product_type": kind, "n_products": n, "n_official": n_official}
        for kind, n, n_official in session.execute(wanted)
    ]
    noted = _noted(session, release, _official(session, release))
    histograms, made_at = ([], None) if noted is None else noted
    return Extract(release.name, release.display_name or release.name, products, histograms, made_at)


def _official(session: Session, release: Release) -> list[_Official]:
    """Official products with a redshift, the newest first."""
    wanted = (
        select(Product, ProductColumn.name)
        .join(ProductColumn, ProductColumn.product_id == Product.id)
        .where(
            Product.release_id == release.id, Product.official, Product.is_latest, seen_by_its_release(),
            ProductColumn.alias == "z",
        )
        .order_by(Product.id.desc())
        .limit(MAX_PRODUCTS)
    )  # fmt: skip
    return [
        _Official(product.uid, product.product_type.name, column, source_of(product))
        for product, column in session.execute(wanted)
        if product.main_file is not None
    ]


def _fingerprint(found: Sequence[_Official]) -> str:
    told = sorted([each.uid, each.column, each.source.signature] for each in found)
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def _note_name(release: str) -> str:
    return f"public-extract:{release}"


def _noted(
    session: Session, release: Release, found: Sequence[_Official]
) -> tuple[list[dict[str, Any]], datetime] | None:
    """Histograms, if they are of these very products: what is no longer shown leaves them at once."""
    note = note_of(session, _note_name(release.name))
    if note is None or note.value.get("of") != _fingerprint(found):
        return None
    return note.value["histograms"], note.at


def _histograms(services: Services, found: Sequence[_Official]) -> list[dict[str, Any]]:
    edges = np.round(np.arange(round(Z_MAX / CELL) + 1) * CELL, 10)
    counts: dict[str, NDArray[np.int64]] = {}
    numbers: dict[str, int] = {}
    for each in found:
        try:
            own = _counts(services, each, edges)
        except PZCenterError as error:
            log.warning("left out of the public extract", extra={"product": each.uid, "reason": str(error)})
            continue
        counts[each.kind] = counts.get(each.kind, np.zeros(edges.size - 1, np.int64)) + own
        numbers[each.kind] = numbers.get(each.kind, 0) + 1
    return [
        {
            "product_type": kind, "n_products": numbers[kind], "z_edges": edges.tolist(),
            "n_objects": safe_counts(counts[kind]),
        }
        for kind in sorted(counts)
    ]  # fmt: skip


def _counts(services: Services, official: _Official, edges: NDArray[np.float64]) -> NDArray[np.int64]:
    """Objects in each cell; missing redshifts and those beyond the cells are in none."""
    catalog = open_file(services, official.source)
    total = np.zeros(edges.size - 1, np.int64)
    with naming(catalog.path, official.source.name):
        for batch in stream(catalog, [official.column], Deadline(SECONDS, "the public extract")):
            z = batch.column(official.column).cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
            inside = z[np.isfinite(z) & (z >= 0) & (z < Z_MAX)]
            total += np.histogram(inside, edges)[0]
    return total
