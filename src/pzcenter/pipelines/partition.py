"""The unit of work of every run: the photo-z of one partition, in memory.

Whatever starts the work (this process, a pool, a batch system), it calls :func:`estimate_partition`, so that every
engine gives the same rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from pzcenter.catalogs import photometry_of
from pzcenter.catalogs.densities import ENCODING, code_column, grid_metadata
from pzcenter.pipelines.extra_columns import class_flags
from pzcenter.schema import PZFlag, arrow_schema, check_table
from pzcenter.schema.felis import load_table
from pzcenter.science.packing import get_encoding
from pzcenter.science.pz import point_estimates

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pzcenter.estimators import Estimator
    from pzcenter.pipelines.extra_columns import ExtraColumns

__all__ = ["BLOCK", "PartitionProduct", "estimate_partition"]

BLOCK = 2048
"""Objects whose densities exist unpacked at one time: 2.5 MB on 301 points, which stays in the processor's cache."""

_CARRIED = ("objectId", "ra", "dec", "_healpix_29", "tract")
_PDF_CARRIED = ("objectId", "ra", "dec", "_healpix_29")
_DIAGNOSTIC_BITS = {
    name: int(PZFlag[name]) for name in ("multi_modal", "broad_0p4", "broad_0p2", "grid_edge", "no_estimate")
}


@dataclass(frozen=True)
class PartitionProduct:
    """The rows of one partition, in the order of the input.

    Parameters
    ----------
    pz : pa.Table
        Core table, definition ``pz``.
    pz_pdf : pa.Table
        Packed densities, definition ``pz_pdf``; the grid and the encoding are in the schema's metadata.
    """

    pz: pa.Table
    pz_pdf: pa.Table


def estimate_partition(
    skinny: pa.Table, model: Estimator, *, model_id: int = 0, extras: ExtraColumns | None = None
) -> PartitionProduct:
    """Photo-z of each object of a partition.

    Parameters
    ----------
    skinny : pa.Table
        Rows of a skinny table.
    model : Estimator
    model_id : int
        Row of the model in ``pz_model``.
    extras : ExtraColumns, optional
        What makes class probabilities and physical quantities; none by default.

    Returns
    -------
    PartitionProduct
        As many rows as ``skinny``, checked against their definitions.

    Raises
    ------
    BandError
        The table lacks bands of the model.
    """
    photometry = photometry_of(skinny, model.bands)
    packing = get_encoding(ENCODING)
    n_obj, z_grid = photometry.n_obj, model.z_grid
    code = np.empty((n_obj, z_grid.size), dtype=np.uint8)
    row_max = np.empty(n_obj, dtype=np.float32)
    columns: dict[str, NDArray[Any]] = {}
    for start in range(0, max(n_obj, 1), BLOCK):
        rows = slice(start, min(start + BLOCK, n_obj))
        result = model.estimate(photometry.select(rows))
        points = point_estimates(result.pdf, z_grid)
        code[rows], row_max[rows] = packing.pack(result.pdf)
        block: dict[str, NDArray[Any] | None] = {
            **points.columns(),
            "chi2": result.chi2,
            "template_id": result.template_id,
            "in_train_domain": result.in_train_domain,
            "p_star": result.p_star,
            "p_agn": result.p_agn,
            "flags": result.flags | points.flags(_DIAGNOSTIC_BITS),
        }
        for name, values in block.items():
            if values is not None:
                if name not in columns:
                    columns[name] = np.empty(n_obj, dtype=values.dtype)
                columns[name][rows] = values
    if extras is not None:
        columns |= extras.columns(skinny, columns["z_best"])
    columns["flags"] |= class_flags(columns, n_obj)
    measured = np.isfinite(photometry.flux) & np.isfinite(photometry.flux_err) & (photometry.flux_err > 0)
    columns["n_bands"] = measured.sum(axis=1, dtype=np.uint8)
    columns["band_mask"] = measured @ (1 << np.arange(photometry.n_band))
    columns["model_id"] = np.full(n_obj, model_id, dtype=np.int16)
    pz = _table("pz", skinny, _CARRIED, columns)
    pdf: dict[str, Any] = {
        "pdf_code": code_column(code),
        "pdf_max": row_max,
    }
    pz_pdf = _table("pz_pdf", skinny, _PDF_CARRIED, pdf, sizes={"pdf_code": z_grid.size})
    return PartitionProduct(
        pz, pz_pdf.replace_schema_metadata({**(pz_pdf.schema.metadata or {}), **grid_metadata(z_grid)})
    )


def _table(
    name: str,
    skinny: pa.Table,
    carried: tuple[str, ...],
    columns: dict[str, Any],
    *,
    sizes: dict[str, int] | None = None,
) -> pa.Table:
    """Columns of the skinny table and computed ones, in the order and types of the definition, checked."""
    optional = {"chi2": np.float32(np.nan), "in_train_domain": np.float32(np.nan), "template_id": np.int16(-1)}
    values = {column: skinny.column(column) for column in carried if column in skinny.column_names}
    names = load_table(name).column_names
    # Columns of bands beyond ugrizy are not written in the definition.
    schema = arrow_schema(name, columns=[*names, *(column for column in columns if column not in names)], sizes=sizes)
    present = [field for field in schema if field.name in values or field.name in columns or field.name in optional]
    arrays = []
    for field in present:
        if field.name in values:
            arrays.append(values[field.name].cast(field.type))
        elif field.name in columns:
            array = columns[field.name]
            arrays.append(array if isinstance(array, pa.Array) else pa.array(array).cast(field.type))
        else:
            filler = optional[field.name]
            arrays.append(pa.array(np.full(skinny.num_rows, filler)).cast(field.type))
    table = pa.Table.from_arrays(arrays, schema=pa.schema(present, metadata=schema.metadata))
    check_table(table, name)
    return table
