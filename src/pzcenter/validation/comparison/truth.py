"""The truth set of a comparison: ids, true redshifts, and what metrics shall be functions of."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pzcenter.catalogs import open_catalog
from pzcenter.catalogs.provenance import describe_file
from pzcenter.errors import BandError, ColumnError, DuplicateIdError, EmptyTableError, NotFoundError
from pzcenter.validation.submissions.object_ids import ID_NAMES, whole_ids

from .object_photometry import ObjectTable, read_objects

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from pzcenter.schema import Photometry

__all__ = ["REDSHIFT_NAMES", "TrainingSet", "TruthSet", "read_training", "read_truth"]

REDSHIFT_NAMES = ("z_spec", "z_true", "redshift", "z", "specz", "zspec")
"""Names under which redshifts are looked for, the first found is taken."""


@dataclass(frozen=True, eq=False)
class TrainingSet:
    """Objects of known redshift that the controls are trained on.

    Parameters
    ----------
    object_id : ndarray of int64, (n_known,)
        All objects whose redshift is known, increasing: what a method may have seen.
    photometry : Photometry, (n_train,)
        Of those that have some.
    z_spec : ndarray, (n_train,)
        Of the objects of ``photometry``.
    sources : tuple of mapping
        Files with their checksums.
    notes : tuple of str
    """

    object_id: NDArray[np.int64]
    photometry: Photometry
    z_spec: NDArray[np.float64]
    sources: tuple[Mapping[str, Any], ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class TruthSet:
    """Objects of known redshift that methods are tested on.

    Parameters
    ----------
    object_id : ndarray of int64, (n_obj,)
        Increasing, each once.
    z_spec : ndarray, (n_obj,)
        Finite.
    covariates : dict of str to ndarray, (n_obj,)
        ``mag``, a colour, ``ebv``, ``tract``, ``n_bands``, as far as they are known; integers are categories.
    photometry : Photometry or None
        Of these objects, in their order.
    mag_band : str or None
        Band of ``mag``.
    sources : tuple of mapping
        Files with their checksums.
    notes : tuple of str
        What was left out, with numbers.
    """

    object_id: NDArray[np.int64]
    z_spec: NDArray[np.float64]
    covariates: dict[str, NDArray[Any]]
    photometry: Photometry | None
    mag_band: str | None
    sources: tuple[Mapping[str, Any], ...]
    notes: tuple[str, ...] = ()

    @property
    def n_obj(self) -> int:
        """Number of objects."""
        return int(self.object_id.size)

    @property
    def sha256(self) -> str:
        """Checksum of the truth table."""
        return str(self.sources[0]["sha256"])

    def select(self, rows: NDArray[np.bool_], note: str) -> TruthSet:
        """Some objects; those left out are told by ``note``, to which their number is put."""
        n_out = int(np.count_nonzero(~rows))
        if not n_out:
            return self
        if n_out == self.n_obj:
            raise EmptyTableError(f"no object of the truth set is left: all {n_out} {note}")
        return replace(
            self,
            object_id=self.object_id[rows],
            z_spec=self.z_spec[rows],
            covariates={name: values[rows] for name, values in self.covariates.items()},
            photometry=None if self.photometry is None else self.photometry.select(rows),
            notes=(*self.notes, f"{n_out:,} {note}"),
        )


def read_truth(
    path: str | os.PathLike[str],
    *,
    photometry: str | os.PathLike[str] | None = None,
    mapping: str | None = None,
    mag_band: str = "i",
    mag_max: float = np.inf,
    training: TrainingSet | None = None,
) -> TruthSet:
    """Read the truth set.

    Parameters
    ----------
    path : path
        Table of any format with object ids and redshifts. Rows without a redshift are left out and counted.
    photometry : path, optional
        Object table of the same objects; by default the truth table, if its columns are understood.
    mapping : str, optional
        Of the columns of the object table; detected by default.
    mag_band : str
        Band of the magnitudes that metrics are a function of.
    mag_max : float
        Keep objects brighter than this, AB; one without magnitude counts as faint.
    training : TrainingSet, optional
        Its objects are left out and counted: a method has seen them.

    Returns
    -------
    TruthSet

    Raises
    ------
    NotFoundError, FileFormatError, ColumnError
        The table cannot be read, or has no ids or no redshifts.
    DuplicateIdError
        An object stands twice.
    EmptyTableError
        Nothing is left.
    BandError
        A magnitude limit in a band that is not there.
    """
    object_id, z_spec = _ids_and_redshifts(path)
    known = np.isfinite(z_spec)
    if not known.any():
        raise EmptyTableError(f"none of the {z_spec.size} rows of {path} has a redshift")
    order = np.flatnonzero(known)[np.argsort(object_id[known], kind="stable")]
    object_id, z_spec = object_id[order], z_spec[order]
    _refuse_twice(object_id, str(path))
    notes = [f"{n:,} rows without a redshift are left out"] if (n := int(np.count_nonzero(~known))) else []
    sources = [describe_file(path)]
    table: ObjectTable | None = None
    try:
        table = read_objects(path if photometry is None else photometry, object_id, mapping=mapping)
    except (ColumnError, BandError, NotFoundError):
        if photometry is not None or mapping is not None:
            raise
        notes.append("no photometry, and so no magnitudes, colours or controls: no mapping fits the truth table")
    if photometry is not None:
        sources.append(describe_file(photometry))
    has_mag = table is not None and mag_band in table.photometry.bands
    truth = TruthSet(
        object_id=object_id,
        z_spec=z_spec,
        covariates={} if table is None else table.covariates(mag_band),
        photometry=None if table is None else table.photometry,
        mag_band=mag_band if has_mag else None,
        sources=tuple(sources),
        notes=(*notes, *(() if table is None else table.notes)),
    )
    return _cut(truth, mag_band, mag_max, training)


def _cut(truth: TruthSet, mag_band: str, mag_max: float, training: TrainingSet | None) -> TruthSet:
    if training is not None:
        seen = np.isin(truth.object_id, training.object_id)
        truth = truth.select(~seen, "objects are left out because they are in the training set")
    if np.isfinite(mag_max):
        if truth.mag_band is None:
            raise BandError(f"a limit {mag_band} < {mag_max:g} needs magnitudes in {mag_band}, which are not there")
        with np.errstate(invalid="ignore"):
            bright = truth.covariates["mag"] < mag_max
        truth = truth.select(
            bright, f"objects are left out because they are not brighter than {mag_band} = {mag_max:g}"
        )
    return truth


def read_training(
    path: str | os.PathLike[str],
    *,
    photometry: str | os.PathLike[str] | None = None,
    mapping: str | None = None,
) -> TrainingSet:
    """Read the training set of the controls.

    Parameters
    ----------
    path : path
        Objects with redshifts, or a table of ids and redshifts only.
    photometry : path, optional
        Object table for the latter.
    mapping : str, optional
        Of its columns.

    Returns
    -------
    TrainingSet
        With ids increasing; a redshift that is not known leaves its object out.

    Raises
    ------
    NotFoundError, FileFormatError, ColumnError, BandError
        The tables cannot be read, or lack ids, redshifts or photometry.
    DuplicateIdError
        An object has two different redshifts.
    EmptyTableError
        No redshift is known.
    """
    object_id, z_spec = _ids_and_redshifts(path)
    known = np.isfinite(z_spec)
    if not known.any():
        raise EmptyTableError(f"none of the {z_spec.size} rows of {path} has a redshift")
    object_id, z_spec = _one_each(object_id[known], z_spec[known], str(path))
    notes = [f"{n:,} rows of the training set have no redshift"] if (n := int(np.count_nonzero(~known))) else []
    try:
        table = read_objects(path, object_id, mapping=None if photometry is not None else mapping)
        sources = [describe_file(path)]
    except (ColumnError, BandError, NotFoundError):
        if photometry is None:
            raise
        table = read_objects(photometry, object_id, mapping=mapping)
        sources = [describe_file(path), describe_file(photometry)]
    rows = table.found
    if not rows.all():
        notes.append(f"{np.count_nonzero(~rows):,} objects of the training set have no photometry")
    return TrainingSet(object_id, table.photometry.select(rows), z_spec[rows], tuple(sources), tuple(notes))


def _one_each(
    object_id: NDArray[np.int64], z_spec: NDArray[np.float64], path: str
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    unique, first, inverse = np.unique(object_id, return_index=True, return_inverse=True)
    differ = z_spec != z_spec[first][inverse]
    if differ.any():
        doubled = np.unique(object_id[differ])
        raise DuplicateIdError(
            f"{path}: {doubled.size} objects have more than one redshift, such as {doubled[:3].tolist()}; "
            "one is accepted"
        )
    return unique, z_spec[first]


def _ids_and_redshifts(path: str | os.PathLike[str]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    catalog = open_catalog(path)
    id_name = _first(catalog.column_names, ID_NAMES, str(path), "object ids")
    z_name = _first(catalog.column_names, REDSHIFT_NAMES, str(path), "redshifts")
    ids, redshifts, done = [], [], 0
    for batch in catalog.batches([id_name, z_name]):
        where = f"{path}: column {id_name!r}"
        ids.append(whole_ids(batch.column(0).to_numpy(zero_copy_only=False), where, first_row=done))
        redshifts.append(np.asarray(batch.column(1).to_numpy(zero_copy_only=False), dtype=np.float64))
        done += batch.num_rows
    if not done:
        raise EmptyTableError(f"{path} has no rows")
    return np.concatenate(ids), np.concatenate(redshifts)


def _first(names: list[str], known: tuple[str, ...], path: str, what: str) -> str:
    found = next((name for name in known if name in names), None)
    if found is None:
        raise ColumnError(f"{path} has no {what}; accepted are columns {', '.join(known)}; it has {names[:30]}")
    return found


def _refuse_twice(ordered: NDArray[np.int64], path: str) -> None:
    twice = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
    if twice.size:
        raise DuplicateIdError(
            f"{path}: {twice.size} objects stand more than once with a redshift, such as {twice[:5].tolist()}; "
            "each may stand once"
        )
