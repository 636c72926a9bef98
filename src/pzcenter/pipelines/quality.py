"""What is remembered of a partition and of the model of its estimates: rows of ``pz_quality`` and ``pz_model``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

import pzcenter
from pzcenter.errors import EmptyTableError
from pzcenter.schema import PZFlag, arrow_schema, check_table
from pzcenter.science import metrics

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from pzcenter.estimators import Estimator

__all__ = ["model_facts", "model_table", "quality_row", "table_of_rows"]

_METRICS = ("bias", "sigma_nmad", "outlier_fraction")
_MODEL_FACTS = (
    "algorithm",
    "bands",
    "model_checksum",
    "model_version",
    "code_version",
    "z_min",
    "z_max",
    "n_z",
    "config",
    "training_checksum",
    "n_train",
)


def quality_row(partition: str, pz: pa.Table, skinny: pa.Table, cpu_s: float) -> dict[str, Any]:
    """Counts and, where redshifts are known, metrics of a partition.

    Parameters
    ----------
    partition : str
        Its name.
    pz : pa.Table
        Core table.
    skinny : pa.Table
        Same rows; its ``z_spec``, where there is one, is what the estimates are compared with.
    cpu_s : float
        Processor time that was needed.

    Returns
    -------
    dict
        The columns of ``pz_quality`` that do not speak of the model.
    """
    flags = pz.column("flags").to_numpy()
    z_best, z_std = (pz.column(column).to_numpy() for column in ("z_best", "z_std"))
    row: dict[str, Any] = {
        "partition": partition,
        "n_obj": pz.num_rows,
        "n_estimate": int(np.count_nonzero(flags & int(PZFlag.no_estimate) == 0)),
        "n_flagged": int(np.count_nonzero(flags)),
        "median_z_best": _median(z_best),
        "median_z_std": _median(z_std),
        "n_spec": 0,
        **dict.fromkeys(_METRICS),
        "cpu_s": cpu_s,
    }
    if "z_spec" in skinny.column_names:
        z_spec = skinny.column("z_spec").to_numpy()
        known = np.isfinite(z_spec) & np.isfinite(z_best)
        row["n_spec"] = int(known.sum())
        if known.any():
            row |= {name: float(getattr(metrics, name)(z_best[known], z_spec[known])) for name in _METRICS}
    return row


def model_facts(estimator: Estimator, *, checksum: str, model_version: str | None) -> dict[str, Any]:
    """What ``pz_quality`` says of the model.

    Parameters
    ----------
    estimator : Estimator
        The model.
    checksum : str
        Digest of its manifest.
    model_version : str or None
        Version of the software that made it, None where it is not known.

    Returns
    -------
    dict
    """
    training, grid = estimator.training, estimator.z_grid
    return {
        "algorithm": estimator.name,
        "bands": ",".join(estimator.bands),
        "model_checksum": checksum,
        "model_version": model_version,
        "code_version": pzcenter.__version__,
        "z_min": float(grid[0]),
        "z_max": float(grid[-1]),
        "n_z": int(grid.size),
        "config": estimator.config.model_dump_json(),
        "training_checksum": None if training is None else training.sha256,
        "n_train": None if training is None else training.n_obj,
    }


def model_table(quality: Iterable[pa.Table], *, created: datetime | None = None) -> pa.Table:
    """Number the models and versions that made the estimates of a release.

    Parameters
    ----------
    quality : iterable of pa.Table
        ``pz_quality`` of all partitions, in any order.
    created : datetime, optional
        When the models were made, where that is known.

    Returns
    -------
    pa.Table
        Definition ``pz_model``: one row for each model and version of the code, the model with most bands first. The
        same rows give the same numbers, whatever their order.

    Raises
    ------
    EmptyTableError
        No partition says what its model was.
    """
    columns = list(_MODEL_FACTS)
    rows = {
        (row["model_checksum"], row["code_version"]): row
        for table in quality
        for row in table.select(columns).to_pylist()
        if row["model_checksum"] is not None
    }
    if not rows:
        raise EmptyTableError("no partition names the model of its estimates; at least 1 is needed")
    ordered = sorted(rows.values(), key=_model_order)
    return table_of_rows("pz_model", [_model_row(number, row, created) for number, row in enumerate(ordered)])


def table_of_rows(name: str, rows: list[dict[str, Any]]) -> pa.Table:
    """Rows as a table of this definition, checked; what a row does not say is missing.

    Raises
    ------
    SchemaError, ColumnError
        The rows are not what the definition says.
    """
    schema = arrow_schema(name)
    unknown = sorted({key for row in rows for key in row} - set(schema.names))
    assert not unknown, unknown
    table = pa.Table.from_pylist(rows, schema=schema)
    check_table(table, name)
    return table


def _model_order(row: dict[str, Any]) -> tuple[Any, ...]:
    return (-len(row["bands"].split(",")), row["bands"], row["model_checksum"], row["code_version"])


def _model_row(number: int, facts: dict[str, Any], created: datetime | None) -> dict[str, Any]:
    return {
        "model_id": number,
        "algorithm": facts["algorithm"],
        "version": facts["model_version"] or facts["code_version"],
        "bands": facts["bands"],
        "z_min": facts["z_min"],
        "z_max": facts["z_max"],
        "n_z": facts["n_z"],
        "config": facts["config"],
        "checksum": facts["model_checksum"],
        "training_data": None if facts["training_checksum"] is None else "training sample",
        "training_checksum": facts["training_checksum"],
        "n_train": facts["n_train"],
        "created": created,
        "code_version": facts["code_version"],
    }


def _median(values: Any) -> float | None:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if known.size else None
