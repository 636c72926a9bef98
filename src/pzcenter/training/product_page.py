"""The page of a product: made with it, and made again from what the product keeps."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from pzcenter.catalogs import FileRecord, Manifest, read_provenance
from pzcenter.catalogs.provenance import describe_file
from pzcenter.catalogs.storage import file_sha256
from pzcenter.errors import ChecksumError, OutputExistsError, UsageError
from pzcenter.training.make import CoverageConfig, TrainingConfig, target_of
from pzcenter.training.product import CONFIG_NAME, REPORT_PAGE, open_product
from pzcenter.training.report import training_report_html, write_page
from pzcenter.training.target_chunks import names_of

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import pyarrow as pa

    from pzcenter.training.product import Product

__all__ = ["ProductPage", "make_product_page", "page_of_redshifts", "page_of_training_set", "target_catalogue"]

PACKAGES = ("numpy", "scipy", "pyarrow")
"""Besides PZ Center, what decides about the numbers."""


@dataclass(frozen=True)
class ProductPage:
    """A page that was made.

    Parameters
    ----------
    path : Path
    left_out : tuple of str
        What the page lacks, and why.
    """

    path: Path
    left_out: tuple[str, ...]


def page_of_redshifts(
    table: pa.Table,
    report: Mapping[str, Any],
    *,
    directory: str | os.PathLike[str],
    versions: Mapping[str, str],
    made_at: datetime,
) -> str:
    """Page of combined redshifts.

    Parameters
    ----------
    table : pa.Table
        Table ``redshift``.
    report : mapping
        What ``report.json`` holds.
    directory : path
        Of the product; its last part is in the command that makes it again.
    versions : mapping of str to str
        Of PZ Center and other packages; those that decide about the numbers are shown.
    made_at : datetime
        When the making of the product began.

    Returns
    -------
    str
        HTML.
    """
    return training_report_html(
        redshifts=table, combine=dict(report), title="Redshifts of many surveys",
        command=_rebuild("specz combine", directory), versions=_shown(versions), made_at=made_at,
    )  # fmt: skip


def page_of_training_set(
    table: pa.Table,
    report: Mapping[str, Any],
    *,
    directory: str | os.PathLike[str],
    versions: Mapping[str, str],
    made_at: datetime,
    redshifts: pa.Table | None = None,
    target: Callable[[], Iterator[pa.Table]] | None = None,
    notes: Sequence[str] = (),
) -> str:
    """Page of a training set.

    Parameters
    ----------
    table : pa.Table
        Table ``training_set``.
    report, directory, versions, made_at
        As for :func:`page_of_redshifts`.
    redshifts : pa.Table, optional
        Redshifts that were offered.
    target : callable, optional
        Gives the catalogue that the training set is for, piece by piece.
    notes : sequence of str
        Shown among the warnings.

    Returns
    -------
    str
        HTML.
    """
    return training_report_html(
        training=table, redshifts=redshifts, target=target, combine=report.get("redshifts"), match=report["match"],
        selection=report["selection"], split=report["split"], subsample=report["subsample"],
        coverage=report["coverage"], separations=report.get("separations"), notes=notes,
        checksums=report.get("redshift_table", {}), command=_rebuild("training make", directory),
        versions=_shown(versions), made_at=made_at,
    )  # fmt: skip


def make_product_page(
    directory: str | os.PathLike[str], path: str | os.PathLike[str] | None = None, *, overwrite: bool = False
) -> ProductPage:
    """Make the page of a finished product again, from its table and its counts.

    The redshifts and objects of a training set are looked for where its settings say, from the current directory and
    from that of the product. Where they are missing or have changed since, the page does without their figures and
    says so. Without changes the page is the same, byte by byte, as the one that was made with the product.

    Parameters
    ----------
    directory : path
        Product of 'pz specz combine' or 'pz training make'.
    path : path, optional
        HTML file to write; by default ``report.html`` of the product, whose manifest then knows it.
    overwrite : bool
        Replace a file outside the product.

    Returns
    -------
    ProductPage

    Raises
    ------
    NotFoundError, FileFormatError
        It is no such product.
    ChecksumError
        A file of the product, other than the page, is not what the manifest says.
    OutputExistsError
        The file is there.
    UsageError
        The path cannot be that of a file.
    StorageError
        The disk refused.
    """
    product = open_product(directory)
    own = product.directory / REPORT_PAGE
    target = own if path is None else Path(path)
    inside = target.resolve() == own.resolve()
    if target.is_file() and not inside and not overwrite:
        raise OutputExistsError(f"{target} is there already; --overwrite replaces it")
    _verify_all_but_the_page(product)
    html, left_out = _page(product)
    write_page(target, html)
    if inside:
        _enter_in_manifest(product)
    return ProductPage(target, tuple(left_out))


def target_catalogue(
    config: TrainingConfig, path: str | os.PathLike[str] | None = None
) -> Callable[[], Iterator[pa.Table]]:
    """Catalogue that a training set is for, piece by piece; its own path by default."""
    settings = config.coverage or CoverageConfig()
    mapping = settings.mapping if settings.target else config.mapping
    place = Path(path or settings.target or config.objects)
    return partial(target_of, place, mapping, n_max=settings.n_max, deredden=config.deredden)


def _page(product: Product) -> tuple[str, list[str]]:
    record = read_provenance(product.directory)
    facts: dict[str, Any] = {
        "directory": product.directory, "versions": {"pzcenter": record["pzcenter"], **record["packages"]},
        "made_at": datetime.fromisoformat(record["started"]),
    }  # fmt: skip
    if product.table_name == "redshift":
        return page_of_redshifts(product.table(), product.report, **facts), []
    text = (product.directory / CONFIG_NAME).read_text(encoding="utf-8")
    config = TrainingConfig.model_validate(yaml.safe_load(text))
    redshifts, first = _redshifts(product, config)
    target, second = _target(product, config, record["inputs"])
    left_out = [*first, *second]
    page = page_of_training_set(
        product.table(), product.report, redshifts=redshifts, target=target, notes=left_out, **facts
    )
    return page, left_out


def _redshifts(product: Product, config: TrainingConfig) -> tuple[pa.Table | None, list[str]]:
    """Redshifts that a training set was made from, if they are still the same."""
    known = product.report.get("redshift_table")
    if not known:
        # It was no product, and the page never had its figures.
        return None, []
    path = _found(product, config.redshifts)
    if path is None:
        return None, [f"The redshifts, {config.redshifts}, are not there any more: their figures are left out."]
    try:
        base = open_product(path)
    except UsageError as error:
        return None, [f"The redshifts cannot be read, and their figures are left out: {error}."]
    if {base.table_path.name: base.sha256} != known:
        return None, [f"The redshifts, {config.redshifts}, have changed since: their figures are left out."]
    return base.table(), []


def _target(
    product: Product, config: TrainingConfig, inputs: Sequence[Mapping[str, Any]]
) -> tuple[Callable[[], Iterator[pa.Table]] | None, list[str]]:
    """Target of a training set, if it is still the same."""
    name = (config.coverage.target if config.coverage else None) or config.objects
    path = _found(product, name)
    if path is None:
        return None, [f"The target, {name}, is not there any more: its figures are left out."]
    if describe_file(path)["sha256"] not in {each["sha256"] for each in inputs}:
        return None, [f"The target, {name}, has changed since: its figures are left out."]
    target = target_catalogue(config, path)
    try:
        names_of(target)
    except UsageError as error:
        return None, [f"The target cannot be read, and its figures are left out: {error}."]
    return target, []


def _found(product: Product, name: str) -> Path | None:
    places = (Path(name), product.directory.absolute().parent / name)
    return next((place for place in places if place.exists()), None)


def _verify_all_but_the_page(product: Product) -> None:
    wrong = [
        record.path
        for record in Manifest.read(product.directory).files
        if record.path != REPORT_PAGE and not _is_as_recorded(product.directory / record.path, record)
    ]
    if wrong:
        raise ChecksumError(f"{product.directory} is not as its manifest says: {', '.join(wrong)} changed or missing")


def _is_as_recorded(path: Path, record: FileRecord) -> bool:
    return path.is_file() and path.stat().st_size == record.n_bytes and file_sha256(path) == record.sha256


def _enter_in_manifest(product: Product) -> None:
    """Let the manifest of a product know its page."""
    manifest = Manifest.read(product.directory)
    page = product.directory / REPORT_PAGE
    record = FileRecord(page.name, file_sha256(page), page.stat().st_size)
    files = (*(each for each in manifest.files if each.path != page.name), record)
    if sorted(files) != sorted(manifest.files):
        Manifest(manifest.table, files).write(product.directory)


def _rebuild(verb: str, directory: str | os.PathLike[str]) -> list[str]:
    """What to type to make a product again."""
    return ["pz", *verb.split(), f"{Path(directory).resolve().name}/{CONFIG_NAME}", "again"]


def _shown(versions: Mapping[str, str]) -> dict[str, str]:
    return {name: versions[name] for name in ("pzcenter", *PACKAGES) if name in versions}
