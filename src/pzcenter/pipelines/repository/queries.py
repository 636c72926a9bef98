"""What a repository holds, as plain rows."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pzcenter.errors import ConfigError, DataIdError, NotFoundError
from pzcenter.pipelines.repository.dataset_types import DATASET_TYPES
from pzcenter.pipelines.repository.open import open_repository

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

__all__ = ["TypeCount", "collection_rows", "counts", "datasets", "edit_chain", "type_rows"]


@dataclass(frozen=True)
class TypeCount:
    """Datasets of one type in a collection.

    Parameters
    ----------
    dataset_type : str
    n : int
    made_from : str
        Type of which one dataset makes one of this; empty where there is none.
    n_expected : int or None
    """

    dataset_type: str
    n: int
    made_from: str = ""
    n_expected: int | None = None

    @property
    def success(self) -> float | None:
        """Share of the expected datasets that are there."""
        return None if not self.n_expected else self.n / self.n_expected


_MADE_FROM = {
    "pz_skinny": "object", "pz_skinny_report": "object", "pz_ingest_qa": "pz_skinny", "pz_sky_counts": "pz_skinny",
    "pz_estimate_{algo}": "pz_skinny", "pz_pdf_{algo}": "pz_skinny", "pz_quality_{algo}": "pz_skinny",
    "pz_{algo}": "pz_estimate_{algo}", "pz_join_{algo}": "pz_estimate_{algo}", "pz_files_{algo}": "pz_{algo}",
    "pz_qa_{algo}": "pz_{algo}",
}  # fmt: skip


def counts(
    root: str | os.PathLike[str],
    collection: str | None = None,
    *,
    algorithms: Sequence[str] = (),
    with_origin: bool = True,
) -> list[TypeCount]:
    """Datasets of each type, and how many of those that should be there are.

    Parameters
    ----------
    root : path or URI
    collection : str, optional
        All collections by default.
    algorithms : sequence of str
        Methods; found from the dataset types by default.
    with_origin : bool
        Count the objects of the release too, where the collection itself has none.

    Returns
    -------
    list of TypeCount
        In the order in which a production makes them; then the others by name.
    """
    with open_repository(root) as butler:
        where = collection or list(butler.collections.query("*"))
        _require_collection(butler, collection)
        names = sorted(kind.name for kind in butler.registry.queryDatasetTypes("*") if not kind.isComponent())
        # A data id that several runs of a chain have, after a further attempt, is one.
        found = Counter({name: _number(butler, name, where, find_first=collection is not None) for name in names})
        if with_origin and collection is not None and not found["object"]:
            # A campaign does not hold what it was made from; its release does.
            found["object"] = _number(butler, "object", f"{collection.split('/')[0]}/raw", must_exist=False)
    methods = list(algorithms) or [
        name.removeprefix("pz_estimate_") for name in names if name.startswith("pz_estimate_")
    ]
    ordered = dict.fromkeys(spec.named(algo) for spec in DATASET_TYPES for algo in (methods or [""]))
    sources = {
        name.format(algo=algo): source.format(algo=algo) for name, source in _MADE_FROM.items() for algo in methods
    }
    rows = []
    for name in [*(each for each in ordered if each in found), *(each for each in names if each not in ordered)]:
        if found[name]:
            source = sources.get(name, "")
            rows.append(TypeCount(name, found[name], source, found[source] if source else None))
    return rows


def datasets(
    root: str | os.PathLike[str], dataset_type: str, *, collections: str | Sequence[str] | None = None, where: str = ""
) -> list[dict[str, Any]]:
    """Datasets of a type: data id, collection, place.

    Raises
    ------
    NotFoundError
        No such type or collection.
    DataIdError
        The expression is not understood.
    """
    from lsst.daf.butler import EmptyQueryResultError, InvalidQueryError, MissingDatasetTypeError

    with open_repository(root) as butler:
        if collections is not None:
            _require_collection(butler, *([collections] if isinstance(collections, str) else collections))
        searched = collections or list(butler.collections.query("*"))
        try:
            refs = butler.query_datasets(
                dataset_type,
                collections=searched,
                where=where,
                limit=None,
                explain=False,
                find_first=collections is not None,
            )
        except MissingDatasetTypeError as error:
            known = sorted(kind.name for kind in butler.registry.queryDatasetTypes("*"))
            raise NotFoundError(f"no dataset type {dataset_type!r}; there are {', '.join(known)}") from error
        except (InvalidQueryError, EmptyQueryResultError, ValueError, LookupError) as error:
            raise DataIdError(f"{where!r} is not understood: {str(error).splitlines()[0]}") from error
        rows = []
        for ref in sorted(refs, key=lambda each: (each.run, sorted(each.dataId.required.items()))):
            place = str(butler.getURI(ref)) if butler.stored(ref) else ""
            rows.append({**{str(k): v for k, v in ref.dataId.required.items()}, "run": ref.run, "uri": place})
        return rows


def type_rows(root: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """Dataset types with their dimensions and storage classes."""
    with open_repository(root) as butler:
        return [
            {"name": kind.name, "dimensions": list(kind.dimensions.required), "storage_class": kind.storageClass_name}
            for kind in sorted(butler.registry.queryDatasetTypes("*"), key=lambda each: each.name)
        ]


def collection_rows(root: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """Collections with their types, and what chains hold."""
    with open_repository(root) as butler:
        return [
            {"name": info.name, "type": info.type.name, "children": list(info.children)}
            for info in sorted(butler.collections.query_info("*"), key=lambda each: each.name)
        ]


def edit_chain(
    root: str | os.PathLike[str], chain: str, children: Sequence[str], *, mode: str = "redefine"
) -> list[str]:
    """Change what a chain holds.

    Parameters
    ----------
    root : path or URI
    chain : str
        Made where it is not there.
    children : sequence of str
    mode : str
        ``redefine``, ``prepend``, ``extend`` or ``remove``.

    Returns
    -------
    list of str
        What it holds now.

    Raises
    ------
    NotFoundError
        A child is not there.
    ConfigError
        ``chain`` is not a chain, or would hold itself.
    """
    from lsst.daf.butler import CollectionCycleError, CollectionType, CollectionTypeError

    with open_repository(root, writeable=True) as butler:
        _require_collection(butler, *children)
        butler.collections.register(chain, CollectionType.CHAINED)
        edit = {
            "redefine": butler.collections.redefine_chain,
            "prepend": butler.collections.prepend_chain,
            "extend": butler.collections.extend_chain,
            "remove": butler.collections.remove_from_chain,
        }[mode]
        try:
            edit(chain, list(children))
        except CollectionTypeError as error:
            raise ConfigError(f"{chain} is a run, and no chain that could hold others") from error
        except CollectionCycleError as error:
            raise ConfigError(f"{chain} would hold itself") from error
        return list(butler.collections.get_info(chain).children)


def _number(butler: Any, name: str, where: Any, *, find_first: bool = False, must_exist: bool = True) -> int:
    if not must_exist and where not in butler.collections.query("*"):
        return 0
    with butler.query() as query:
        return int(query.datasets(name, collections=where, find_first=find_first).count())


def _require_collection(butler: Any, *names: str | None) -> None:
    there = set(butler.collections.query("*"))
    for name in names:
        if name is not None and name not in there:
            raise NotFoundError(f"no collection {name!r}; there are {', '.join(sorted(there)[:20])}")
