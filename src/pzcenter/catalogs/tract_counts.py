"""Whether a release holds each of its objects once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pzcenter.errors import PartitionError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["require_every_object"]

_N_NAMED = 5


def require_every_object(
    rows: Mapping[int, int], planned: Mapping[int, int], *, allow_missing: bool = False
) -> list[int]:
    """Compare the rows of each tract with its number of objects.

    Parameters
    ----------
    rows : mapping of int to int
        Rows that each tract has in the product.
    planned : mapping of int to int
        Objects that each tract has in the release.
    allow_missing : bool
        Accept tracts that are not in ``rows`` at all.

    Returns
    -------
    list of int
        Tracts with objects that are missing, sorted.

    Raises
    ------
    PartitionError
        A tract has more or fewer rows than objects, is not of the release, or is missing; the tracts are named.
    """
    wrong = [
        f"tract {tract} has {n_rows} rows for {planned.get(tract, 0)} objects"
        for tract, n_rows in sorted(rows.items())
        if n_rows != planned.get(tract, 0)
    ]
    if wrong:
        more = f" and {len(wrong) - _N_NAMED} more" if len(wrong) > _N_NAMED else ""
        raise PartitionError(f"each object must have one row: {'; '.join(wrong[:_N_NAMED])}{more}")
    missing = sorted(tract for tract, n_obj in planned.items() if n_obj and tract not in rows)
    if missing and not allow_missing:
        n_obj = sum(planned[tract] for tract in missing)
        named = ", ".join(map(str, missing[:_N_NAMED])) + (", ..." if len(missing) > _N_NAMED else "")
        raise PartitionError(
            f"{len(missing)} of {len(planned)} tracts are missing, with {n_obj} objects: {named}; mend and redo them, "
            "or finish without them (-c finishCatalog:allow_missing_tracts=True)"
        )
    return missing
