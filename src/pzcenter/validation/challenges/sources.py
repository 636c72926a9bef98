"""Tables that a challenge is made from: files, a standard set, or a training set that is split."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from pzcenter.catalogs import open_catalog
from pzcenter.errors import NotFoundError

if TYPE_CHECKING:
    from pathlib import Path

    from .settings import ScenarioSettings

__all__ = ["read_sources", "source_paths"]

TRAINING_SET = "training_set.parquet"
SET_FILES = {"training": "train.parquet", "validation": "validation.parquet", "test": "test.parquet"}
"""Files of a standard set by their role."""


def source_paths(scenario: ScenarioSettings, base: Path) -> dict[str, Path]:
    """Files that a scenario is made from, by role; a training set that is split is the file of all of them.

    Parameters
    ----------
    scenario : ScenarioSettings
    base : Path
        Directory that paths are relative to.

    Returns
    -------
    dict of str to Path

    Raises
    ------
    NotFoundError
        There is no such file or directory.
    """
    if scenario.set is None:
        named = {"training": scenario.training, "validation": scenario.validation, "test": scenario.test}
        paths = {role: base / name for role, name in named.items() if name is not None}
    else:
        root = base / scenario.set
        split_table = root / TRAINING_SET
        paths = {role: split_table if split_table.is_file() else root / name for role, name in SET_FILES.items()}
        if not paths["validation"].is_file():
            del paths["validation"]
    absent = [f"{role} {path}" for role, path in paths.items() if not path.exists()]
    if absent:
        raise NotFoundError(f"scenario {scenario.name!r}: there is no {', no '.join(absent)}")
    return paths


def read_sources(scenario: ScenarioSettings, base: Path) -> dict[str, pa.Table]:
    """Tables that a scenario is made from, by role.

    Parameters
    ----------
    scenario : ScenarioSettings
    base : Path

    Returns
    -------
    dict of str to pa.Table
        A role whose sample is empty is left out.

    Raises
    ------
    NotFoundError
        There is no such file, or a training set has no sample of that name.
    FileFormatError
        No table.
    """
    tables = {}
    for role, path in source_paths(scenario, base).items():
        table = _read(path)
        if path.name == TRAINING_SET and scenario.set is not None:
            table = _sample(table, SET_FILES[role].removesuffix(".parquet"), path)
            if role == "validation" and not table.num_rows:
                continue
        tables[role] = table
    return tables


def _read(path: Path) -> pa.Table:
    catalog = open_catalog(path)
    table = pa.Table.from_batches(list(catalog.batches(catalog.column_names)))
    return table.replace_schema_metadata(catalog.schema.metadata)


def _sample(table: pa.Table, name: str, path: Path) -> pa.Table:
    if "split" not in table.column_names:
        raise NotFoundError(f"{path} is not split into samples; 'pz training make' does it")
    rows = table.filter(pc.equal(table.column("split"), name))
    if not rows.num_rows and name != "validation":
        known = ", ".join(sorted(filter(None, pc.unique(table.column("split")).to_pylist())))
        raise NotFoundError(f"{path} has no sample {name!r}; it has {known}")
    return rows
