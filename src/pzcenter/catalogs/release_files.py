"""The files that one tract adds to the catalogue of a release."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from pzcenter.catalogs.align_pdf import align_pdf
from pzcenter.catalogs.hats_layout import data_path, part_path
from pzcenter.catalogs.pixel_split import margin_rows, sort_along_sky, split_by_pixels
from pzcenter.errors import ColumnError, SchemaError
from pzcenter.schema import arrow_schema, check_table

if TYPE_CHECKING:
    from pzcenter.catalogs.pixel_split import PixelSet

__all__ = ["CATALOGS", "MARGIN", "release_files"]

MARGIN = "pz_margin"
CATALOGS = ("pz", "pz_pdf", MARGIN)
"""HATS catalogues of a release: core table, densities, and the margin of the core table."""

_POSITION = ("ra", "dec", "_healpix_29")


def release_files(
    pz: pa.Table,
    pz_pdf: pa.Table,
    pixels: PixelSet,
    *,
    tract: int,
    margin_arcsec: float,
    own_pixel: tuple[int, int] | None = None,
) -> dict[str, dict[str, pa.Table]]:
    """Cut the tables of a tract into the files of the catalogue.

    Parameters
    ----------
    pz : pa.Table
        Core table of the tract, one row per object, in any order.
    pz_pdf : pa.Table
        Densities of these objects; those without one may be absent.
    pixels : PixelSet
        Pixels of the whole release.
    tract : int
        Names the files.
    margin_arcsec : float
        Width of the margin.
    own_pixel : (int, int), optional
        Order and pixel where the tract is itself one pixel of the tiling: it then has one file for all its rows.

    Returns
    -------
    dict of str to dict of str to pa.Table
        Path below the catalogue and rows, by the name of the catalogue (:data:`CATALOGS`). The same rows give the
        same tables, chunks and metadata included, and these the same bytes.

    Raises
    ------
    SchemaError
        A table does not satisfy its definition, an object lies outside every pixel, or outside ``own_pixel``.
    ColumnError
        A table has no positions.
    DuplicateIdError
        An object is there twice.
    """
    core = _canonical(sort_along_sky(pz))
    check_table(core, "pz")
    pdf = align_pdf(core, pz_pdf)
    part = f"tract_{tract}"
    files: dict[str, dict[str, pa.Table]] = {name: {} for name in CATALOGS}
    for pixel, rows in split_by_pixels(core, pixels).items():
        if own_pixel is not None and pixel != own_pixel:
            raise SchemaError(
                f"tract {tract} is the pixel {own_pixel[1]} of order {own_pixel[0]}, and {rows.num_rows} of its "
                f"objects lie in pixel {pixel[1]} of order {pixel[0]}, such as object {rows['objectId'][0].as_py()}"
            )
        path = part_path(*pixel, part) if own_pixel is None else data_path(f"Norder={pixel[0]}/Npix={pixel[1]}")
        files["pz"][path] = rows
    first = 0
    for path, rows in files["pz"].items():
        files["pz_pdf"][path] = pdf.slice(first, rows.num_rows)
        first += rows.num_rows
    for pixel, rows in margin_rows(core, pixels, margin_arcsec).items():
        files[MARGIN][part_path(*pixel, part)] = rows
    return {name: {path: rows.combine_chunks() for path, rows in parts.items()} for name, parts in files.items()}


def _canonical(pz: pa.Table) -> pa.Table:
    """Columns, types and metadata of the definition alone: nothing that tells which run or host made the table."""
    absent = [name for name in _POSITION if name not in pz.column_names]
    if absent:
        raise ColumnError(f"a catalogue needs positions; the core table lacks {absent}")
    schema = arrow_schema("pz")
    fields = [field for field in schema if field.name in pz.column_names]
    extra = sorted(set(pz.column_names) - {field.name for field in fields})
    if extra:
        raise ColumnError(f"table pz: unknown columns {extra}; accepted are {schema.names}")
    return pz.select([field.name for field in fields]).cast(pa.schema(fields, metadata=schema.metadata))
