"""What a photo-z method is: the protocol, its configuration and its declared inputs and outputs.

A method sees arrays only (:class:`pzcenter.schema.Photometry` in, :class:`pzcenter.schema.PZ` out) and never a file of
the catalogue. Everything else (partitions, point estimates, packing, provenance) is done around it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self, TypeAlias, TypeVar, runtime_checkable

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from pzcenter.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from pzcenter.schema import PZ, Photometry

__all__ = [
    "DEFAULT_N_Z",
    "DEFAULT_Z_MAX",
    "Declaration",
    "Estimator",
    "EstimatorConfig",
    "Progress",
    "TrainingFacts",
    "checked_config",
    "default_z_grid",
]

DEFAULT_Z_MAX = 3.0
DEFAULT_N_Z = 301

Progress: TypeAlias = Callable[[float, str], None]
"""Called by a long training with the fraction done, 0 to 1, and what is being done."""


def default_z_grid() -> NDArray[np.float64]:
    """Give the house grid: 301 points from 0 to 3.

    Returns
    -------
    ndarray of float64, (301,)
    """
    return np.linspace(0.0, DEFAULT_Z_MAX, DEFAULT_N_Z)


class EstimatorConfig(BaseModel):
    """Base of every method's settings: frozen, unknown names refused, finite numbers only.

    Each field has a title, and its unit in the description.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def for_bands(self, bands: Iterable[str]) -> Self:
        """Give the same settings for a model in these bands, for methods whose settings name bands.

        Parameters
        ----------
        bands : iterable of str

        Returns
        -------
        EstimatorConfig

        Raises
        ------
        BandError
            The settings know nothing of a band.
        """
        del bands
        return self


@dataclass(frozen=True)
class Declaration:
    """What a method asks for and what it fills in, so that a pipeline can check before it starts.

    Parameters
    ----------
    fills : frozenset of str
        Optional fields of :class:`pzcenter.schema.PZ` that the method gives: of ``chi2``, ``template_id``,
        ``in_train_domain``, ``p_star``, ``p_agn``.
    needs_dereddened : bool
        Whether Galactic extinction must be out of the fluxes; objects for which it is not are flagged.
    n_train_min : int
        Fewest training objects with which :meth:`Estimator.train` gives a model.
    """

    fills: frozenset[str] = frozenset()
    needs_dereddened: bool = True
    n_train_min: int = 1


@dataclass(frozen=True)
class TrainingFacts:
    """What is remembered of the sample a model was trained on.

    Parameters
    ----------
    n_obj : int
        Objects used.
    z_min, z_max : float
        Range of their redshifts.
    sha256 : str
        Of the bands, fluxes, errors and redshifts in an order that does not depend on the rows' order.
    """

    n_obj: int
    z_min: float
    z_max: float
    sha256: str


@runtime_checkable
class Estimator(Protocol):
    """A photo-z method, and one model of it.

    Attributes
    ----------
    name : str
        The entry point's name.
    needs_training : bool
        Whether :meth:`default` is refused.
    Config : type of EstimatorConfig
        The settings.
    declaration : Declaration
        Inputs and outputs.
    config : EstimatorConfig
        Settings of this model.
    bands : tuple of str
        Bands this model uses, in its own order.
    z_grid : ndarray of float64, (n_z,)
        Grid of the densities it gives.
    training : TrainingFacts or None
        None for a model that saw no data.
    """

    name: ClassVar[str]
    needs_training: ClassVar[bool]
    Config: ClassVar[type[EstimatorConfig]]
    declaration: ClassVar[Declaration]

    @property
    def config(self) -> EstimatorConfig:
        """Settings of this model."""
        ...

    @property
    def bands(self) -> tuple[str, ...]:
        """Bands this model uses, in its own order."""
        ...

    @property
    def z_grid(self) -> NDArray[np.float64]:
        """Grid of the densities."""
        ...

    @property
    def training(self) -> TrainingFacts | None:
        """The training sample in numbers, or None."""
        ...

    @classmethod
    def default(cls, *, config: EstimatorConfig | None = None, z_grid: NDArray[Any] | None = None) -> Self:
        """Give the model that needs no data.

        Raises
        ------
        ModelError
            The method needs training.
        """
        ...

    @classmethod
    def train(
        cls,
        photometry: Photometry,
        z_spec: NDArray[Any],
        *,
        config: EstimatorConfig | None = None,
        z_grid: NDArray[Any] | None = None,
        progress: Progress | None = None,
    ) -> Self:
        """Make a model from objects of known redshift.

        The order of the rows must not change the model.

        Raises
        ------
        GridError
            ``z_grid`` does not cover ``z_spec``.
        ShapeError, EmptyTableError, ModelError
            The training set cannot be used.
        """
        ...

    def estimate(self, photometry: Photometry) -> PZ:
        """Give one density per object, in the order of the objects.

        A row depends on its own object only: the split into calls changes no bit of it.

        Raises
        ------
        BandError
            The photometry lacks bands of the model.
        """
        ...

    def save(self, directory: Path | str) -> None:
        """Write the model as data files with a manifest; nothing is left behind when it fails.

        Raises
        ------
        OutputExistsError
            ``directory`` holds something.
        StorageError
            The disk refused.
        """
        ...

    @classmethod
    def load(cls, directory: Path | str) -> Self:
        """Read a saved model, after its checksums are verified.

        Raises
        ------
        NotFoundError, ModelError, ChecksumError
            There is no model, or it must not be used.
        """
        ...


ConfigT = TypeVar("ConfigT", bound=EstimatorConfig)


def checked_config(config_class: type[ConfigT], config: EstimatorConfig | Mapping[str, Any] | None) -> ConfigT:
    """Make settings of the right class from an instance, plain values (YAML, command line) or nothing.

    Parameters
    ----------
    config_class : type of EstimatorConfig
        Class wanted.
    config : EstimatorConfig, mapping or None
        None gives the defaults.

    Returns
    -------
    EstimatorConfig
        An instance of ``config_class``.

    Raises
    ------
    ConfigError
        Another method's settings, an unknown name or a refused value.
    """
    if config is None:
        config = {}
    if isinstance(config, config_class):
        return config
    if isinstance(config, EstimatorConfig):
        raise ConfigError(f"settings are {type(config).__qualname__}; {config_class.__qualname__} is accepted")
    try:
        return config_class.model_validate(dict(config))
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(str(part) for part in item['loc']) or 'settings'}: {item['msg']} (got {item['input']!r})"
            for item in error.errors()
        )
        known = ", ".join(config_class.model_fields)
        raise ConfigError(f"{problems}. Known settings: {known}") from None
