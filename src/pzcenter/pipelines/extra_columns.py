"""Columns of the PZ table that not every run has: class probabilities from outside, and physical quantities.

Class probabilities enter here and nowhere else: a method may fill ``p_star`` and ``p_agn`` of its result, and a table
of object ids and probabilities, whoever made it, is stronger. Nothing of p(z) is changed by them.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pzcenter.catalogs import open_catalog, photometry_of
from pzcenter.catalogs.provenance import describe_file
from pzcenter.errors import ColumnError, ConfigError, DuplicateIdError, UnitError
from pzcenter.estimators import load_model, model_digest
from pzcenter.estimators.template import TemplateEstimator
from pzcenter.estimators.template_physical import physical_quantities
from pzcenter.pipelines.truth import ID_COLUMNS
from pzcenter.schema import PZFlag

if TYPE_CHECKING:
    import os
    from pathlib import Path

    import pyarrow as pa
    from numpy.typing import NDArray

__all__ = [
    "CLASS_COLUMNS",
    "FLAG_FROM",
    "ClassProbabilities",
    "ExtraColumns",
    "ExtraSettings",
    "class_flags",
    "read_class_probabilities",
]

CLASS_COLUMNS = {"p_star": PZFlag.star_like, "p_agn": PZFlag.agn_like}
"""Columns of probabilities, and the flag that each sets."""
FLAG_FROM = 0.5
"""Probability from which the flag is set."""


@dataclass(frozen=True, eq=False)
class ClassProbabilities:
    """Probabilities by object id.

    Parameters
    ----------
    object_id : ndarray of int64, (n_known,)
        Increasing.
    columns : dict of str to ndarray of float32, (n_known,)
        ``p_star``, ``p_agn`` or both.
    """

    object_id: NDArray[np.int64]
    columns: dict[str, NDArray[np.float32]]

    def of(self, object_id: NDArray[np.int64]) -> dict[str, NDArray[np.float32]]:
        """Probabilities of these objects, NaN for those that are not in the table."""
        if not self.object_id.size:
            return {name: np.full(object_id.shape, np.nan, dtype=np.float32) for name in self.columns}
        at = np.minimum(np.searchsorted(self.object_id, object_id), self.object_id.size - 1)
        known = self.object_id[at] == object_id
        return {name: np.where(known, values[at], np.float32(np.nan)) for name, values in self.columns.items()}


def read_class_probabilities(path: str | os.PathLike[str]) -> ClassProbabilities:
    """Read a table of object ids and class probabilities, of any format that the readers know.

    Parameters
    ----------
    path : path
        With an id (``objectId``, ``object_id`` or ``id``), and ``p_star``, ``p_agn`` or both.

    Returns
    -------
    ClassProbabilities

    Raises
    ------
    ColumnError
        No id, or neither probability.
    UnitError
        A value that is no probability.
    DuplicateIdError
        An id is there twice.
    """
    catalog = open_catalog(path)
    id_column = next((name for name in ID_COLUMNS if name in catalog.column_names), None)
    names = [name for name in CLASS_COLUMNS if name in catalog.column_names]
    if id_column is None or not names:
        raise ColumnError(
            f"{path} needs one of {list(ID_COLUMNS)} and one of {list(CLASS_COLUMNS)}; it has {catalog.column_names}"
        )
    table = catalog.read([id_column, *names])
    ids = np.asarray(table.column(id_column).to_numpy(), dtype=np.int64)
    order = np.argsort(ids, kind="stable")
    ids = ids[order]
    doubled = ids[1:][np.diff(ids) == 0]
    if doubled.size:
        raise DuplicateIdError(f"{path}: {doubled.size} ids appear more than once, such as {doubled[:3].tolist()}")
    columns = {}
    for name in names:
        values = np.asarray(table.column(name).to_numpy(), dtype=np.float64)[order]
        bad = (values < 0) | (values > 1) | np.isinf(values)
        if bad.any():
            raise UnitError(
                f"{path}: {int(bad.sum())} values of {name} are no probabilities, such as {values[bad][0]:g}"
            )
        columns[name] = values.astype(np.float32)
    return ClassProbabilities(ids, columns)


def class_flags(columns: dict[str, NDArray[Any]], n_obj: int) -> NDArray[np.uint32]:
    """Flags of objects that are probably no galaxies.

    Parameters
    ----------
    columns : dict of str to ndarray, (n_obj,)
        ``p_star`` and ``p_agn``, where there are any.
    n_obj : int

    Returns
    -------
    ndarray of uint32, (n_obj,)
    """
    flags = np.zeros(n_obj, dtype=np.uint32)
    for name, flag in CLASS_COLUMNS.items():
        if name in columns:
            flags[np.asarray(columns[name]) >= FLAG_FROM] |= np.uint32(flag)
    return flags


@dataclass(frozen=True)
class ExtraSettings:
    """Which columns a run has besides those that each has.

    Parameters
    ----------
    physical_model : Path or None
        Template model whose best template, chi-squared and absolute magnitudes are wanted.
    classes : Path or None
        Table of class probabilities.
    """

    physical_model: Path | None = None
    classes: Path | None = None

    @property
    def key(self) -> str:
        """Identity: what decides the values of the columns; empty where there are none."""
        if self.physical_model is None and self.classes is None:
            return ""
        model = None if self.physical_model is None else model_digest(self.physical_model)
        classes = None if self.classes is None else describe_file(self.classes)["sha256"]
        return hashlib.sha256(json.dumps([model, classes]).encode()).hexdigest()

    def load(self) -> ExtraColumns | None:
        """Read model and table; None where there are no extra columns.

        Raises
        ------
        ConfigError
            The physical model is not a template fit.
        PZCenterError
            As :func:`read_class_probabilities` and :func:`pzcenter.estimators.load_model`.
        """
        if not self.key:
            return None
        model = None if self.physical_model is None else load_model(self.physical_model)
        if model is not None and not isinstance(model, TemplateEstimator):
            raise ConfigError(f"physical quantities come from a template model; {self.physical_model} is {model.name}")
        return ExtraColumns(model, None if self.classes is None else read_class_probabilities(self.classes))


@dataclass(frozen=True, eq=False)
class ExtraColumns:
    """What makes the extra columns.

    Parameters
    ----------
    physical : TemplateEstimator or None
    classes : ClassProbabilities or None
    """

    physical: TemplateEstimator | None
    classes: ClassProbabilities | None

    def columns(self, skinny: pa.Table, z_best: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
        """Extra columns of a partition.

        Parameters
        ----------
        skinny : pa.Table
        z_best : ndarray of float32, (n_obj,)
            NaN where there is no estimate.

        Returns
        -------
        dict of str to ndarray, (n_obj,)
            Columns of the table ``pz``.

        Raises
        ------
        BandError
            The table lacks bands of the physical model.
        """
        found: dict[str, NDArray[Any]] = {}
        if self.classes is not None:
            found |= self.classes.of(skinny.column("objectId").to_numpy())
        if self.physical is not None:
            made = physical_quantities(self.physical, photometry_of(skinny, self.physical.bands), z_best)
            found |= {"phys_template_id": made.template_id, "phys_chi2": made.chi2}
            found |= {f"mag_abs_{band}": made.mag_abs[:, place] for place, band in enumerate(made.bands)}
        return found
