"""Where an object is: the partition whose table has its id."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow.compute as pc
from lsst.daf.butler import MissingCollectionError, MissingDatasetTypeError

from pzcenter.errors import DataIdError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa
    from lsst.daf.butler import Butler, DatasetRef

__all__ = ["datasets_of", "find_tract", "first_object"]


def find_tract(
    butler: Butler, object_id: int, table: str, *, collections: str | Sequence[str], skymap: str | None = None
) -> tuple[DatasetRef, pa.Table]:
    """Find the table of a partition that holds an object.

    The id ranges of ``pz_tract_plan`` say where it may be; only the id columns of those tracts are read.

    Parameters
    ----------
    butler : Butler
    object_id : int
    table : str
        Dataset type.
    collections : str or sequence of str
    skymap : str, optional

    Returns
    -------
    ref : DatasetRef
    row : pa.Table
        The one row, all columns.

    Raises
    ------
    NotFoundError
        No table has it.
    DataIdError
        There are several skymaps, and none is named.
    """
    refs = datasets_of(butler, table, collections)
    skymaps = sorted({str(ref.dataId["skymap"]) for ref in refs})
    if skymap is None and len(skymaps) > 1:
        raise DataIdError(f"{table} is there for the skymaps {', '.join(skymaps)}: name one")
    refs = [ref for ref in refs if skymap in {None, ref.dataId["skymap"]}]
    if not refs:
        raise NotFoundError(f"no dataset {table!r} in {collections}")
    candidates = _candidates(butler, object_id, collections, str(refs[0].dataId["skymap"]))
    for ref in refs:
        if candidates is not None and ref.dataId["tract"] not in candidates:
            continue
        ids = butler.get(ref, parameters={"columns": ["objectId"]}).column("objectId")
        place = pc.index(ids, object_id).as_py()
        if place >= 0:
            return ref, butler.get(ref).slice(place, 1)
    looked = len(refs) if candidates is None else len(candidates)
    raise NotFoundError(f"no row with objectId {object_id} in {table} of {collections}; looked into {looked} tracts")


def _candidates(butler: Butler, object_id: int, collections: Any, skymap: str) -> set[int] | None:
    """Tracts whose range of ids has this one; None where no plan says it."""
    plans = [ref for ref in datasets_of(butler, "pz_tract_plan", collections) if ref.dataId["skymap"] == skymap]
    if not plans:
        return None
    plan = butler.get(plans[0])
    inside = pc.and_(pc.less_equal(plan["id_min"], object_id), pc.greater_equal(plan["id_max"], object_id))
    return set(plan.filter(inside)["tract"].to_pylist())


def datasets_of(butler: Butler, dataset_type: str, collections: Any) -> list[DatasetRef]:
    """All datasets of a type, for each data id the one that the collections give first.

    Parameters
    ----------
    butler : Butler
    dataset_type : str
    collections : str or sequence of str

    Returns
    -------
    list of DatasetRef
        Empty where the repository does not know the type or a collection.
    """
    try:
        return list(butler.query_datasets(dataset_type, collections=collections, find_first=True, explain=False,
                                          limit=None))  # fmt: skip
    except (MissingDatasetTypeError, MissingCollectionError):
        return []


def first_object(butler: Butler, table: str, *, collections: str | Sequence[str]) -> int:
    """Id of some object: that of the first row of the first tract.

    Parameters
    ----------
    butler : Butler
    table : str
        Dataset type.
    collections : str or sequence of str

    Returns
    -------
    int

    Raises
    ------
    NotFoundError
        There is no such table, or all are empty.
    """
    for ref in sorted(datasets_of(butler, table, collections), key=lambda ref: tuple(ref.dataId.required_values)):
        ids = butler.get(ref, parameters={"columns": ["objectId"]}).column("objectId")
        if len(ids):
            return int(ids[0].as_py())
    raise NotFoundError(f"no rows in datasets {table!r} of {collections}")
