"""From tables with redshifts to what participants get: new ids in a secret order, and no column that tells.

The new ids of a scenario are whole numbers that follow on those of the scenario before it. Which object gets which is
decided by a keyed hash of its id, so that the same key and objects give the same ids whatever the order of the input,
and nobody without the key can tell one from the other. Rows are in the order of the new ids.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from pzcenter.catalogs.columns import float_column, int_column, require_columns
from pzcenter.catalogs.photometry import DEREDDENED_KEY, bands_of
from pzcenter.errors import BandError, ConfigError, DuplicateIdError, EmptyTableError
from pzcenter.science.photometry import flux_to_mag

from .leaks import forbidden_columns

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from .settings import ScenarioSettings

__all__ = ["BlindScenario", "blind_scenario", "keyed_order"]

ID = "objectId"
REDSHIFT = "z_spec"
COVARIATE_COLUMNS = ("ebv", "tract")
"""Columns of the source that metrics become functions of, where they are there; magnitudes and colours besides."""


@dataclass(frozen=True, eq=False)
class BlindScenario:
    """Tables of one scenario.

    Parameters
    ----------
    public : dict of str to pa.Table
        ``training``, ``test`` and, where there is one, ``validation``.
    truth : pa.Table
        Of the test set: new id, id and row in the source, ``z_spec``, covariates.
    """

    public: dict[str, pa.Table]
    truth: pa.Table


def keyed_order(ids: NDArray[np.int64], key: bytes, label: str) -> NDArray[np.int64]:
    """Put ids into the order of a keyed hash.

    Parameters
    ----------
    ids : ndarray of int64, (n_obj,)
        All different.
    key : bytes
        At most 64.
    label : str
        Another label gives another order.

    Returns
    -------
    ndarray of int64, (n_obj,)
        Row of each place.

    References
    ----------
    Aumasson et al. 2013, "BLAKE2: simpler, smaller, fast as MD5".
    """
    prefix = blake2b(label.encode(), key=key, digest_size=32).digest()
    content = ids.astype("<i8").tobytes()
    digests = b"".join(
        blake2b(content[at : at + 8], key=prefix, digest_size=16).digest() for at in range(0, len(content), 8)
    )
    halves = np.frombuffer(digests, dtype=">u8").reshape(-1, 2)
    return np.lexsort((ids, halves[:, 1], halves[:, 0]))


def blind_scenario(
    sources: Mapping[str, pa.Table], scenario: ScenarioSettings, *, key: bytes, first_id: int, mag_band: str
) -> BlindScenario:
    """Make the tables of a scenario.

    Parameters
    ----------
    sources : mapping of str to pa.Table
        ``training``, ``test`` and optionally ``validation``: ``objectId``, ``flux_{band}`` and ``flux_err_{band}`` in
        nJy, ``z_spec``.
    scenario : ScenarioSettings
    key : bytes
    first_id : int
        Ids follow on this one: test, training, validation.
    mag_band : str
        Of the magnitude that metrics become functions of.

    Returns
    -------
    BlindScenario

    Raises
    ------
    ColumnError, BandError
        Columns are missing.
    EmptyTableError
        A table has no rows, or no object of it has a redshift.
    DuplicateIdError
        An object stands twice in the test set.
    ConfigError
        An object of the test set is in the training or validation set, or a column may not be shown.
    """
    forbidden = forbidden_columns(scenario.test_columns)
    if forbidden:
        raise ConfigError(f"{scenario.name}: participants may not see {', '.join(forbidden)} of the test set")
    _check_sources(sources, scenario.name)
    public: dict[str, pa.Table] = {}
    truth = None
    next_id = first_id
    for role in ("test", "training", "validation"):
        if role not in sources:
            continue
        source = sources[role]
        order = keyed_order(_row_ids(source), key, f"{scenario.name}/{role}")
        new_ids = np.arange(next_id, next_id + order.size)
        next_id += order.size
        is_test = role == "test"
        further = scenario.test_columns if is_test else (REDSHIFT, *scenario.training_columns)
        public[role] = _public_table(source, order, new_ids, further, where=f"{scenario.name}: {role} set")
        if is_test:
            truth = _truth_table(source, order, new_ids, mag_band)
    assert truth is not None
    return BlindScenario(public, truth)


def _row_ids(source: pa.Table) -> NDArray[np.int64]:
    """Ids, made different where an object has several rows, as a training set may."""
    ids = int_column(source.column(ID), ID)
    order = np.argsort(ids, kind="stable")
    ordered = ids[order]
    first = np.searchsorted(ordered, ordered, side="left")
    repeat = np.empty(ids.size, dtype=np.int64)
    repeat[order] = np.arange(ids.size) - first
    return ids if not repeat.any() else ids ^ (repeat << 40)


def _check_sources(sources: Mapping[str, pa.Table], name: str) -> None:
    for role, table in sources.items():
        where = f"{name}: {role} set"
        require_columns([ID, REDSHIFT], table.column_names, where)
        if not bands_of(table.schema):
            raise BandError(
                f"{where} has no flux_BAND with flux_err_BAND; 'pz catalog skinny' makes them from any table"
            )
        if table.num_rows == 0 or not np.isfinite(float_column(table.column(REDSHIFT))).any():
            raise EmptyTableError(f"{where} has {table.num_rows} rows and no redshift among them; at least 1 is needed")
    ids = {role: int_column(table.column(ID), ID) for role, table in sources.items()}
    unique, count = np.unique(ids["test"], return_counts=True)
    if unique.size != ids["test"].size:
        twice = unique[count > 1]
        raise DuplicateIdError(f"{name}: {twice.size} objects stand twice in the test set, such as {int(twice[0])}")
    for role in set(ids) - {"test"}:
        shared = np.intersect1d(unique, ids[role])
        if shared.size:
            raise ConfigError(
                f"{name}: {shared.size} objects of the test set are in the {role} set, such as {int(shared[0])}; "
                "none may be"
            )


def _public_table(
    source: pa.Table, order: NDArray[np.int64], new_ids: NDArray[np.int64], further: Sequence[str], *, where: str
) -> pa.Table:
    require_columns(further, source.column_names, where)
    fields, columns = [pa.field(ID, pa.int64(), nullable=False)], [pa.array(new_ids)]
    for band in bands_of(source.schema):
        for name in (f"flux_{band}", f"flux_err_{band}"):
            values = float_column(source.column(name), np.float32)[order]
            fields.append(pa.field(name, pa.float32(), metadata={"unit": "nJy"}))
            columns.append(pa.array(values))
    kept = [*(["flags"] if "flags" in source.column_names else []), *further]
    for name in dict.fromkeys(kept):
        if name in {field.name for field in fields}:
            continue
        column = source.column(name).combine_chunks().take(pa.array(order))
        fields.append(pa.field(name, column.type))
        columns.append(column)
    stated = (source.schema.metadata or {}).get(DEREDDENED_KEY.encode(), b"true")
    return pa.table(columns, schema=pa.schema(fields, metadata={DEREDDENED_KEY: stated.decode()}))


def _truth_table(source: pa.Table, order: NDArray[np.int64], new_ids: NDArray[np.int64], mag_band: str) -> pa.Table:
    columns: dict[str, NDArray[Any]] = {
        "object_id": new_ids,
        "source_id": int_column(source.column(ID), ID)[order],
        "source_row": order.astype(np.int64),
        REDSHIFT: float_column(source.column(REDSHIFT))[order],
    }
    return pa.table(columns | {name: value[order] for name, value in _covariates(source, mag_band).items()})


def _covariates(source: pa.Table, mag_band: str) -> dict[str, NDArray[Any]]:
    """Magnitude, colours of neighbouring bands, number of bands, and what the source has of the sky."""
    bands = bands_of(source.schema)
    flux = {band: float_column(source.column(f"flux_{band}")) for band in bands}
    error = {band: float_column(source.column(f"flux_err_{band}")) for band in bands}
    mag: dict[str, NDArray[Any]] = {band: np.asarray(flux_to_mag(values)) for band, values in flux.items()}
    found: dict[str, NDArray[Any]] = {}
    if mag_band in mag:
        found["mag"] = mag[mag_band]
    for blue, red in pairwise(bands):
        found[f"colour_{blue}{red}"] = mag[blue] - mag[red]
    seen = [np.isfinite(flux[band]) & np.isfinite(error[band]) & (error[band] > 0) for band in bands]
    found["n_bands"] = np.sum(seen, axis=0).astype(np.int64)
    for name in COVARIATE_COLUMNS:
        if name in source.column_names:
            column = source.column(name)
            found[name] = (
                int_column(column, name) if name == "tract" and not column.null_count else float_column(column)
            )
    return found
