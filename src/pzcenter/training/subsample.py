"""Ways to thin out, weight or degrade a training set, found by entry points of the group ``pzcenter.subsamplers``."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from importlib import import_module
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, cast

import numpy as np
import pyarrow as pa
from pydantic import BaseModel, ConfigDict, ValidationError

from pzcenter.errors import ConfigError, EmptyTableError, ModelError, NotFoundError
from pzcenter.training.coverage import effective_number

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from pzcenter.training.target_chunks import Target

__all__ = [
    "ENTRY_POINT_GROUP",
    "WEIGHT_COLUMN",
    "Subsample",
    "SubsampleReport",
    "SubsampleSettings",
    "Subsampler",
    "get_subsampler",
    "subsample",
    "subsampler_names",
]

ENTRY_POINT_GROUP = "pzcenter.subsamplers"
WEIGHT_COLUMN = "weight"

_BUILT_IN = {
    "cell_cap": "pzcenter.training.cell_cap:CellCap",
    "neighbour_weights": "pzcenter.training.neighbour_weights:NeighbourWeights",
    "noise_augmentation": "pzcenter.training.augmentation:NoiseAugmentation",
    "som_resampling": "pzcenter.training.som_resampling:SomResampling",
}


class SubsampleSettings(BaseModel):
    """Base of the settings of a method."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


@dataclass(frozen=True, eq=False)
class Subsample:
    """What a method gives.

    Parameters
    ----------
    weight : ndarray of float64, (n_obj,)
        Of each row of the input; 0 is left out.
    is_weighted : bool
        True where the weights mean something; false where rows only stay or go.
    columns : dict of str to ndarray
        Columns whose values the method changed, for all rows of the input.
    counts : mapping of str to number
        What there is to tell, by name.
    """

    weight: NDArray[np.float64]
    is_weighted: bool = False
    columns: dict[str, NDArray[Any]] = field(default_factory=dict)
    counts: Mapping[str, float] = field(default_factory=dict)

    @property
    def mask(self) -> NDArray[np.bool_]:
        """True for the rows that stay, (n_obj,)."""
        return np.asarray(self.weight > 0)

    def apply(self, table: pa.Table) -> pa.Table:
        """The rows that stay, with changed columns and the new weights.

        Parameters
        ----------
        table : pa.Table
            The input of the method.

        Returns
        -------
        pa.Table
            With ``weight`` where the method gives weights, in place of older ones; a method that only leaves out rows
            keeps the older ones.
        """
        changed = dict(self.columns) | ({WEIGHT_COLUMN: self.weight} if self.is_weighted else {})
        for name, values in changed.items():
            if name in table.column_names:
                place = table.column_names.index(name)
                table = table.set_column(place, name, pa.array(values, table.schema.field(name).type))
            else:
                table = table.append_column(name, pa.array(values))
        return table.filter(self.mask)


@dataclass(frozen=True)
class SubsampleReport:
    """What a method did.

    Parameters
    ----------
    method : str
        Its name.
    settings : dict
        All of them, also those that were not given.
    seed : int
        As asked for.
    n_in, n_out : int
        Rows before and after.
    n_effective : float
        Effective number of the rows that stay, under the new weights.
    counts : dict
        What the method tells.
    """

    method: str
    settings: dict[str, Any]
    seed: int
    n_in: int
    n_out: int
    n_effective: float
    counts: dict[str, float]

    def as_dict(self) -> dict[str, Any]:
        """Plain values, as JSON takes them.

        Returns
        -------
        dict
        """
        return asdict(self)

    @property
    def sentences(self) -> list[str]:
        """The report in words.

        Returns
        -------
        list of str
        """
        head = f"{self.method} with seed {self.seed}: {self.n_out:,} of {self.n_in:,} rows stay"
        head += f" and count as {self.n_effective:,.0f}." if self.n_effective < 0.999 * self.n_out else "."
        return [head, *(f"{name.replace('_', ' ')}: {value:,.6g}." for name, value in self.counts.items())]


class Subsampler(Protocol):
    """A method: a class whose instances hold the settings.

    ``name`` is the entry point's, ``title`` says in a line what it does, ``needs_target`` whether it must be given the
    catalogue that the training set is for, ``Settings`` derives from :class:`SubsampleSettings`.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    needs_target: ClassVar[bool]
    Settings: ClassVar[type[SubsampleSettings]]

    def __init__(self, settings: Any) -> None:
        """Hold the settings."""

    def draw(self, table: pa.Table, target: Target | None, *, seed: int) -> Subsample:
        """Choose or weight the rows of a training set; nothing is changed in place.

        Parameters
        ----------
        table : pa.Table
            At least one row.
        target : Target or None
            The catalogue, see :mod:`pzcenter.training.target_chunks`.
        seed : int
            Equal seeds give equal results, in any order of the rows.

        Returns
        -------
        Subsample
        """


def subsampler_names() -> tuple[str, ...]:
    """Names of the methods, those of this package and those of plug-ins, sorted.

    Returns
    -------
    tuple of str
    """
    return tuple(sorted(_places()))


def get_subsampler(name: str) -> type[Subsampler]:
    """Find the method of this name; only its own module is imported.

    Parameters
    ----------
    name : str
        One of :func:`subsampler_names`.

    Returns
    -------
    type
        A class that follows :class:`Subsampler`.

    Raises
    ------
    NotFoundError
        No such method.
    ModelError
        A plug-in that is broken, or two of one name.
    """
    places = _places()
    if name not in places:
        raise NotFoundError(f"no subsample method is called {name!r}; installed: {', '.join(sorted(places))}")
    if len(places[name]) > 1:
        raise ModelError(f"several plug-ins call their subsample method {name!r}: {', '.join(sorted(places[name]))}")
    (place,) = places[name]
    module, _, attribute = place.partition(":")
    try:
        found = getattr(import_module(module), attribute)
    except Exception as error:
        raise ModelError(f"the subsample method {name!r} ({place}) cannot be imported: {error}") from error
    absent = [item for item in ("name", "title", "needs_target", "Settings", "draw") if not hasattr(found, item)]
    if absent or not isinstance(found, type) or vars(found).get("name") != name:
        wrong = f"it has no {', '.join(absent)}" if absent else "it is no class of this name"
        raise ModelError(f"the subsample method {name!r} ({place}) cannot be used: {wrong}")
    return cast("type[Subsampler]", found)


def subsample(
    table: pa.Table, method: str, target: Target | None = None, *, seed: int = 0, **settings: Any
) -> tuple[Subsample, SubsampleReport]:
    """Thin out, weight or degrade a training set.

    Parameters
    ----------
    table : pa.Table
        A training set.
    method : str
        One of :func:`subsampler_names`.
    target : pa.Table, or function that gives an iterable of tables or batches, optional
        The catalogue that the training set is for; some methods need it.
    seed : int
        Equal seeds give equal results.
    **settings
        Of the method.

    Returns
    -------
    sample : Subsample
        ``sample.apply(table)`` is the new training set.
    report : SubsampleReport

    Raises
    ------
    NotFoundError, ModelError
        No such method, or a broken one.
    ConfigError
        Unknown or refused settings; no target where one is needed.
    EmptyTableError
        No rows.
    """
    found = get_subsampler(method)
    if table.num_rows == 0:
        raise EmptyTableError("a training set without rows cannot be subsampled")
    if found.needs_target and target is None:
        raise ConfigError(f"the subsample method {method!r} needs target=, the catalogue that the training set is for")
    checked = _checked(found.Settings, settings)
    sample = found(checked).draw(table, target, seed=seed)
    report = SubsampleReport(
        method=method,
        settings=checked.model_dump(mode="json"),
        seed=seed,
        n_in=table.num_rows,
        n_out=int(np.count_nonzero(sample.mask)),
        n_effective=effective_number(sample.weight),
        counts=dict(sample.counts),
    )
    return sample, report


def _places() -> dict[str, set[str]]:
    """Module and class by name; one that is both built in and an entry point is there once."""
    places = {name: {place} for name, place in _BUILT_IN.items()}
    for point in entry_points(group=ENTRY_POINT_GROUP):
        places.setdefault(point.name, set()).add(point.value)
    return places


def _checked(settings_class: type[SubsampleSettings], settings: dict[str, Any]) -> SubsampleSettings:
    try:
        return settings_class.model_validate(settings)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(str(part) for part in item['loc']) or 'settings'}: {item['msg']} (got {item['input']!r})"
            for item in error.errors()
        )
        raise ConfigError(f"{problems}. Known settings: {', '.join(settings_class.model_fields)}") from None
