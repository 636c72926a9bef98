"""Files of qp, the ensembles of the RAIL ecosystem, read without qp.

A file has ``meta`` (the type and what is common to all), ``data`` (a row for each object) and ``ancil`` (ids, point
estimates). Files: https://qp.readthedocs.io; the types are those of qp-prob 1.x.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pzcenter.errors import FileFormatError, ShapeError

from .forms import (
    GridForm,
    HistogramForm,
    IrregularGridForm,
    MixtureForm,
    NormalForm,
    QuantileForm,
)
from .grids import check_levels, check_redshifts, refuse_transposed
from .hdf5_columns import Hdf5Columns, open_hdf5, safe_datasets, small_values
from .rare_forms import SCIPY_NAMES, PackedIntegerForm, QpForm, ScipyForm, SparseForm, SplineForm

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from .forms import Form

__all__ = ["QP_TYPES", "is_qp", "read_qp"]


def is_qp(path: Path) -> bool:
    """Whether an HDF5 file is an ensemble of qp."""
    with open_hdf5(path) as file:
        return "meta/pdf_name" in file and "data" in file


def read_qp(path: Path) -> tuple[Hdf5Columns, Form]:
    """Columns and form of an ensemble.

    Parameters
    ----------
    path : Path

    Returns
    -------
    Hdf5Columns
        The data, and the columns of ``ancil`` under their names.
    Form

    Raises
    ------
    FileFormatError
        A part is missing, or holds what is not accepted.
    ShapeError
        Arrays that do not fit each other, or are transposed.
    """
    with open_hdf5(path) as file:
        datasets = safe_datasets(file, path)
        meta = {_last(name): small_values(node, path) for name, node in datasets.items() if name.startswith("meta/")}
        data = {_last(name): name for name in datasets if name.startswith("data/")}
        ancil = {_last(name): name for name in datasets if name.startswith("ancil/")}
        shapes = {name: datasets[place].shape for name, place in data.items()}
        ancil = {name: place for name, place in ancil.items() if name not in data and datasets[place].ndim in (1, 2)}
    kind = str(meta.get("pdf_name", ""))
    if not data:
        raise FileFormatError(f"{path} is a qp file of type {kind!r} without data")
    maker = QP_TYPES.get(kind, _other)
    form = maker(meta, shapes, path)
    missing = [name for name in form.columns if name not in data]
    if missing:
        raise FileFormatError(f"{path}: an ensemble of type {kind!r} needs data/{missing[0]}; it has {sorted(data)}")
    return Hdf5Columns(path, {**data, **ancil}, metadata={"form": kind}), form


def _last(place: str) -> str:
    return place.rsplit("/", 1)[-1]


def _numbers(meta: Mapping[str, Any], name: str, path: Path) -> NDArray[np.float64]:
    if name not in meta:
        raise FileFormatError(
            f"{path}: a qp file of type {meta['pdf_name']!r} needs meta/{name}; it has {sorted(meta)}"
        )
    return np.asarray(meta[name], dtype=np.float64).ravel()


def _grid(meta: Mapping[str, Any], path: Path) -> NDArray[np.float64]:
    return check_redshifts(_numbers(meta, "xvals", path), f"{path}: meta/xvals")


def _interp(meta: Mapping[str, Any], shapes: Mapping[str, tuple[int, ...]], path: Path) -> Form:
    grid = _grid(meta, path)
    refuse_transposed(shapes.get("yvals", (0, grid.size)), grid.size, f"{path}: data/yvals")
    return GridForm(grid, "yvals", name="grid (qp interp)")


def _interp_irregular(meta: Mapping[str, Any], shapes: Mapping[str, tuple[int, ...]], path: Path) -> Form:
    del meta
    if shapes.get("xvals") != shapes.get("yvals"):
        raise ShapeError(f"{path}: data/xvals and data/yvals must be of one shape; they are {dict(shapes)}")
    return IrregularGridForm()


def _hist(meta: Mapping[str, Any], shapes: Mapping[str, tuple[int, ...]], path: Path) -> Form:
    bins = check_redshifts(_numbers(meta, "bins", path), f"{path}: meta/bins")
    refuse_transposed(shapes.get("pdfs", (0, bins.size - 1)), bins.size - 1, f"{path}: data/pdfs")
    return HistogramForm(bins)


def _quant(meta: Mapping[str, Any], shapes: Mapping[str, tuple[int, ...]], path: Path) -> Form:
    levels = check_levels(_numbers(meta, "quants", path), f"{path}: meta/quants")
    refuse_transposed(shapes.get("locs", (0, levels.size)), levels.size, f"{path}: data/locs")
    return QuantileForm(levels)


def _mixmod(meta: Mapping[str, Any], shapes: Mapping[str, tuple[int, ...]], path: Path) -> Form:
    del meta, shapes, path
    return MixtureForm()


def _norm(meta: Mapping[str, Any], shapes: Mapping[str, tuple[int, ...]], path: Path) -> Form:
    del meta, shapes, path
    return NormalForm()


def _packed_interp(meta: Mapping[str, Any], shapes: Mapping[str, tuple[int, ...]], path: Path) -> Form:
    grid = _grid(meta, path)
    refuse_transposed(shapes.get("ypacked", (0, grid.size)), grid.size, f"{path}: data/ypacked")
    packing, floor = (
        float(np.ravel(meta.get(name, default))[0]) for name, default in (("packing_type", 0), ("log_floor", -3))
    )
    return PackedIntegerForm(grid, is_logarithmic=packing == 1, log_floor=floor)


def _sparse(meta: Mapping[str, Any], shapes: Mapping[str, tuple[int, ...]], path: Path) -> Form:
    del shapes
    mu, sigma, dims = (_numbers(meta, name, path) for name in ("mu", "sig", "dims"))
    if mu.size != 2 or sigma.size != 2 or dims.size < 3 or not np.all(dims[:3] >= 1):
        raise FileFormatError(
            f"{path}: meta/mu and meta/sig have two values, meta/dims five; got {mu}, {sigma}, {dims}"
        )
    n_mu, n_sigma, n_gamma = (int(value) for value in dims[:3])
    return SparseForm(_grid(meta, path), (mu[0], mu[1]), (sigma[0], sigma[1]), n_mu, n_sigma, n_gamma)


def _spline(meta: Mapping[str, Any], shapes: Mapping[str, tuple[int, ...]], path: Path) -> Form:
    del meta
    if shapes.get("splx") != shapes.get("sply"):
        raise ShapeError(f"{path}: data/splx and data/sply must be of one shape; they are {dict(shapes)}")
    return SplineForm()


def _other(meta: Mapping[str, Any], shapes: Mapping[str, tuple[int, ...]], path: Path) -> Form:
    kind = str(meta.get("pdf_name", ""))
    if not kind.isidentifier():
        raise FileFormatError(
            f"{path}: meta/pdf_name is {kind!r}; accepted are {sorted(QP_TYPES)} and other types of qp"
        )
    if kind in SCIPY_NAMES:
        return ScipyForm(kind, tuple(shapes))
    tables = {
        name: np.array([kind.encode()]) if name == "pdf_name" else np.asarray(value) for name, value in meta.items()
    }
    return QpForm(kind, tuple(shapes), tables)


QP_TYPES: dict[str, Callable[[Mapping[str, Any], Mapping[str, tuple[int, ...]], Path], Form]] = {
    "hist": _hist,
    "interp": _interp,
    "interp_irregular": _interp_irregular,
    "mixmod": _mixmod,
    "norm": _norm,
    "packed_interp": _packed_interp,
    "quant": _quant,
    "sparse": _sparse,
    "spline": _spline,
}
"""Types of ensembles that are read here; a distribution of scipy.stats, and what qp has besides, come after."""
