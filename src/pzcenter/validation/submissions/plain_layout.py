"""Tables of participants who use no ensemble format: what p(z) is made of, told by the names of the columns."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from pzcenter.errors import ColumnError, GridError

from .columns import StackedColumns
from .forms import GridForm, MixtureForm, PackedForm, QuantileForm, SampleForm
from .grids import check_levels, check_redshifts, refuse_transposed, stated_grid, stated_levels

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from .columns import Columns
    from .forms import Form

__all__ = [
    "MIXTURE_NAMES",
    "PDF_NAMES",
    "POINT_NAMES",
    "QUANTILE_NAMES",
    "SAMPLE_NAMES",
    "is_row_name",
    "point_columns",
    "recognise",
]

PDF_NAMES = ("pdf", "pz", "pdfs", "p_z", "pofz", "pz_pdf", "density", "densities", "yvals")
QUANTILE_NAMES = ("quantiles", "z_quantiles", "locs")
SAMPLE_NAMES = ("samples", "z_samples", "pz_samples")
MIXTURE_NAMES = (("weights", "means", "stds"), ("weights", "mu", "sigma"), ("weight", "mean", "std"))
POINT_NAMES = {
    "z_best": ("z_best", "zbest", "z_phot", "zphot", "photoz", "photo_z", "z_point", "z_b"),
    "z_mode": ("z_mode", "zmode", "mode"),
    "z_median": ("z_median", "zmedian", "median"),
    "z_mean": ("z_mean", "zmean"),
}
"""Point estimates by their names here, and the names under which they are handed in; the first found is taken."""
_NUMBERED = re.compile(r"^(pdf|pz|p_z|p|z|q|quantile|z_q|quant)[_ ]?(\d+(?:\.\d*)?(?:[eE][-+]?\d+)?)$")
_QUANTILE_PREFIXES = ("q", "quantile", "z_q", "quant")
_MIN_NUMBERED = 3


def point_columns(names: Iterable[str]) -> dict[str, str]:
    """Point estimates among columns: name here to name there."""
    folded = {name.casefold(): name for name in reversed(list(names))}
    found = {point: next((folded[n] for n in known if n in folded), None) for point, known in POINT_NAMES.items()}
    return {point: name for point, name in found.items() if name is not None}


def is_row_name(name: str) -> bool:
    """Whether a two-dimensional array of this name has a row for each object."""
    known = {*PDF_NAMES, *QUANTILE_NAMES, *SAMPLE_NAMES, *(part for names in MIXTURE_NAMES for part in names)}
    return name.casefold() in known


def recognise(columns: Columns, *, z_grid: NDArray[np.float64] | None = None) -> tuple[Columns, Form | None]:
    """Which form the columns of a table make.

    Parameters
    ----------
    columns : Columns
    z_grid : ndarray, (n_z,), optional
        Taken for the grid of densities whose file states none, where the lengths agree.

    Returns
    -------
    Columns
        With columns that belong together stacked.
    Form or None
        None where there are point estimates only.

    Raises
    ------
    ColumnError
        Nothing is recognised.
    GridError, ShapeError
        Densities without a grid, or on another.
    """
    where = str(columns.path)
    columns = _stacked(columns)
    widths = {name.casefold(): name for name in columns.widths}
    if "pdf_code" in widths and "pdf_max" in widths:
        grid = stated_grid(columns.metadata, where)
        if grid is None:
            raise GridError(f"{where}: packed densities need their grid in the metadata (pz.z_min, pz.z_max, pz.n_z)")
        return columns, PackedForm(grid, widths["pdf_code"], widths["pdf_max"])
    for names in MIXTURE_NAMES:
        if all(name in widths for name in names):
            weights, means, stds = (widths[name] for name in names)
            return columns, MixtureForm(weights, means, stds)
    for name in SAMPLE_NAMES:
        if name in widths and columns.widths[widths[name]] is not None:
            return columns, SampleForm(widths[name])
    for name in QUANTILE_NAMES:
        if name in widths and columns.widths[widths[name]] is not None:
            return columns, _quantiles(columns, widths[name])
    for name in PDF_NAMES:
        if name in widths and columns.widths[widths[name]] is not None:
            return columns, _grid(columns, widths[name], z_grid)
    if not point_columns(columns.widths):
        raise ColumnError(
            f"{where} has neither densities nor point estimates under a known name; its columns are "
            f"{list(columns.widths)[:20]}. Accepted are densities {PDF_NAMES} with a grid, quantiles {QUANTILE_NAMES} "
            f"with levels, samples {SAMPLE_NAMES}, mixtures {MIXTURE_NAMES[0]}, points {sum(POINT_NAMES.values(), ())}"
        )
    return columns, None


def _quantiles(columns: Columns, name: str) -> Form:
    levels = stated_levels(columns.metadata, str(columns.path))
    if levels is None:
        raise GridError(f"{columns.path}: quantiles {name!r} need their levels in the metadata, as 'quantile_levels'")
    refuse_transposed((columns.n_rows, columns.widths[name] or levels.size), levels.size, f"{columns.path}: {name!r}")
    return QuantileForm(levels, name)


def _grid(columns: Columns, name: str, z_grid: NDArray[np.float64] | None) -> Form:
    grid = stated_grid(columns.metadata, str(columns.path))
    width = columns.widths[name]
    if grid is None and z_grid is not None and width in (0, z_grid.size):
        grid = check_redshifts(z_grid, str(columns.path))
    if grid is None:
        raise GridError(
            f"{columns.path}: densities {name!r} of {width or 'any'} points need a redshift grid in the metadata, as "
            f"'z_grid', or as z_min, z_max and n_z; or give z_grid of that length"
        )
    refuse_transposed((columns.n_rows, width or grid.size), grid.size, f"{columns.path}: {name!r}")
    return GridForm(grid, name)


def _stacked(columns: Columns) -> Columns:
    """Put together columns that are named by a number: one per grid point, or one per quantile."""
    groups: dict[str, list[tuple[float, str]]] = {}
    for name, width in columns.widths.items():
        match = _NUMBERED.match(name)
        if width is None and match:
            groups.setdefault(match[1], []).append((float(match[2]), name))
    groups = {prefix: sorted(found) for prefix, found in groups.items() if len(found) >= _MIN_NUMBERED}
    if not groups:
        return columns
    prefix, found = max(groups.items(), key=lambda item: len(item[1]))
    numbers = np.array([number for number, _ in found])
    is_quantile = prefix in _QUANTILE_PREFIXES
    new, key = ("quantiles", "quantile_levels") if is_quantile else ("pdf", "z_grid")
    where = str(columns.path)
    metadata = {}
    if (stated_levels if is_quantile else stated_grid)(columns.metadata, where) is None and not _are_indices(numbers):
        metadata[key] = (check_levels if is_quantile else check_redshifts)(numbers, where)
    return StackedColumns(columns, {new: [name for _, name in found]}, metadata)


def _are_indices(numbers: NDArray[np.float64]) -> bool:
    """Whether numbers count the columns and are no redshifts."""
    return bool(np.array_equal(numbers, np.arange(numbers.size) + numbers[0])) and numbers[0] in (0, 1)
