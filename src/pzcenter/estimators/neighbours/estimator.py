"""Nearest neighbours in colour space, with a local linear correction of their redshifts.

The equations are in :mod:`pzcenter.estimators.neighbours.kernel`.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import asdict, fields, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from pydantic import Field

from pzcenter.errors import ModelError
from pzcenter.estimators.checks import check_photometry, check_training, require_different_redshifts
from pzcenter.estimators.fingerprints import fingerprints, tell_known
from pzcenter.estimators.neighbours.kernel import neighbour_densities
from pzcenter.estimators.neighbours.space import asinh_softening, features, space_of_bands
from pzcenter.estimators.neighbours.tuning import NeighbourSettings, tune
from pzcenter.estimators.protocol import Declaration, EstimatorConfig, TrainingFacts, checked_config
from pzcenter.estimators.storage import read_model, write_model
from pzcenter.schema import PZ, PZFlag

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from pzcenter.estimators.neighbours.space import Space
    from pzcenter.estimators.protocol import Progress
    from pzcenter.schema import Photometry

__all__ = ["NeighboursConfig", "NeighboursEstimator"]

_BLOCK = 8192
"""Objects computed at a time: bounds the memory beside the result."""
_MAX_SPACES = 32
"""Trees kept; each holds the training set in the features of one combination of bands."""
_TUNED = ("n_neighbours", "magnitude_weight", "colour_floor", "reach", "ridge", "width")


class NeighboursConfig(EstimatorConfig):
    """Settings of the nearest neighbours; those that are not given are tuned on the training set."""

    n_neighbours: int | None = Field(
        default=None, ge=2, le=2000, title="Neighbours", description="Number of training objects; tuned when not given."
    )
    magnitude_weight: float | None = Field(
        default=None,
        gt=0,
        le=10,
        title="Weight of the magnitude",
        description="Of the middle band's magnitude beside the colours, in the distance; tuned when not given.",
    )
    colour_floor: float | None = Field(
        default=None,
        gt=0,
        le=1,
        title="Colour scatter",
        description="Magnitudes, added in quadrature to the errors in the distance; tuned when not given.",
    )
    reach: float | None = Field(
        default=None,
        gt=0,
        le=10,
        title="Reach of the weights",
        description="Fraction of the farthest neighbour's squared distance; tuned when not given.",
    )
    ridge: float | None = Field(
        default=None,
        gt=0,
        le=1e6,
        title="Stiffness of the local fit",
        description="In units of the object's squared errors; large values leave redshifts where they are. "
        "Tuned when not given.",
    )
    width: float | None = Field(
        default=None,
        gt=0,
        le=10,
        title="Kernel width",
        description="In units of spread times n_eff^(-1/5); tuned when not given.",
    )
    width_min: float = Field(
        default=0.004, gt=0, le=1, title="Smallest kernel width", description="As a fraction of 1 + z."
    )
    softening: float = Field(
        default=2.0,
        gt=0,
        le=100,
        title="Softening of the asinh magnitudes",
        description="In units of the median flux error of the training set in the band.",
    )
    domain_threshold: float = Field(
        default=0.1,
        ge=0,
        le=1,
        title="Edge of the domain",
        description="Objects whose in_train_domain is below this are flagged outside_domain.",
    )
    n_tune: int = Field(
        default=3000, ge=100, le=100_000, title="Objects to tune on", description="Number, drawn at random."
    )
    seed: int = Field(default=1, ge=0, title="Seed", description="Of the choice of the objects to tune on.")


class NeighboursEstimator:
    """A model of the nearest neighbours: the training set itself, with tuned settings.

    Parameters
    ----------
    config : NeighboursConfig
        Settings as given.
    settings : NeighbourSettings
        Settings as tuned.
    bands : tuple of str
        In the model's order.
    z_grid : ndarray of float64, (n_z,)
        Redshift grid.
    flux, flux_err : ndarray of float32, (n_train, n_band)
        Training photometry, nJy, NaN where missing.
    z_spec : ndarray of float64, (n_train,)
        Training redshifts.
    softening : ndarray of float64, (n_band,)
        Of the asinh magnitudes, nJy.
    training : TrainingFacts
        The sample in numbers.
    tuning_loss : float
        Leave-one-out loss of the settings; NaN when nothing was tuned.
    """

    name: ClassVar[str] = "neighbours"
    needs_training: ClassVar[bool] = True
    Config: ClassVar[type[EstimatorConfig]] = NeighboursConfig
    declaration: ClassVar[Declaration] = Declaration(fills=frozenset({"in_train_domain"}), n_train_min=20)

    def __init__(
        self,
        *,
        config: NeighboursConfig,
        settings: NeighbourSettings,
        bands: tuple[str, ...],
        z_grid: NDArray[np.float64],
        flux: NDArray[np.float32],
        flux_err: NDArray[np.float32],
        z_spec: NDArray[np.float64],
        softening: NDArray[np.float64],
        training: TrainingFacts | None,
        tuning_loss: float,
    ) -> None:
        self.config = config
        self.settings = settings
        self.bands = bands
        self.z_grid = z_grid
        self.training = training
        self.tuning_loss = tuning_loss
        self._flux, self._flux_err, self._z_spec, self._softening = flux, flux_err, z_spec, softening
        self._known = np.sort(fingerprints(flux, flux_err))
        self._spaces: OrderedDict[tuple[int, ...], Space | None] = OrderedDict()

    @classmethod
    def default(cls, *, config: EstimatorConfig | None = None, z_grid: NDArray[Any] | None = None) -> Self:
        """Refuse: there are no neighbours without data.

        Raises
        ------
        ModelError
            Always.
        """
        del config, z_grid
        raise ModelError(f"{cls.name} has no model without data: train it")

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
        """Keep the training set and tune the settings; see :meth:`pzcenter.estimators.Estimator.train`.

        Raises
        ------
        ModelError
            All redshifts are the same.
        """
        given = checked_config(NeighboursConfig, config)
        sample = check_training(photometry, z_spec, z_grid, cls.declaration)
        require_different_redshifts(sample.facts)
        softening = asinh_softening(sample.flux_err, given.softening)
        fixed = {name: getattr(given, name) for name in _TUNED if getattr(given, name) is not None}
        start = replace(NeighbourSettings(width_min=given.width_min), **fixed)
        settings, loss = tune(sample, softening, start, fixed, n_tune=given.n_tune, seed=given.seed, progress=progress)
        return cls(
            config=given,
            settings=settings,
            bands=sample.bands,
            z_grid=sample.z_grid,
            flux=sample.flux,
            flux_err=sample.flux_err,
            z_spec=sample.z_spec,
            softening=softening,
            training=sample.facts,
            tuning_loss=loss,
        )

    def estimate(self, photometry: Photometry) -> PZ:
        """Give the density of the neighbours; see :meth:`pzcenter.estimators.Estimator.estimate`.

        An object with missing bands is compared with training objects in the bands it has. Objects that are training
        objects, and so their own neighbours, are counted in a warning of the log.
        """
        checked = check_photometry(photometry, self.bands, self.declaration)
        tell_known(checked.flux, checked.flux_err, self._known)
        n_obj = photometry.n_obj
        pdf = np.full((n_obj, self.z_grid.size), np.nan, dtype=np.float32)
        inside = np.zeros(n_obj, dtype=np.float32)
        usable = np.isfinite(checked.flux)
        patterns, pattern_of = np.unique(usable, axis=0, return_inverse=True)
        for number, pattern in enumerate(patterns):
            rows = np.flatnonzero(pattern_of.reshape(-1) == number)
            space = self._space(tuple(int(column) for column in np.flatnonzero(pattern)))
            if space is None:
                checked.flags[rows] |= np.uint32(PZFlag.no_estimate)
                continue
            for start in range(0, rows.size, _BLOCK):
                block = rows[start : start + _BLOCK]
                pdf[block], inside[block] = self._estimate_block(space, checked.flux[block], checked.flux_err[block])
        checked.flags[inside < self.config.domain_threshold] |= np.uint32(PZFlag.outside_domain)
        return PZ(pdf=pdf, z_grid=self.z_grid, flags=checked.flags, in_train_domain=inside)

    def save(self, directory: Path | str) -> None:
        """Write the model; see :func:`pzcenter.estimators.storage.write_model`."""
        loss = None if np.isnan(self.tuning_loss) else self.tuning_loss
        write_model(
            directory,
            estimator=self.name,
            config=self.config,
            bands=self.bands,
            z_grid=self.z_grid,
            arrays={
                "flux": self._flux,
                "flux_err": self._flux_err,
                "z_spec": self._z_spec,
                "softening": self._softening,
            },
            training=self.training,
            facts={"settings": asdict(self.settings), "leave_one_out_cde_loss": loss},
        )

    @classmethod
    def load(cls, directory: Path | str) -> Self:
        """Read a model; see :func:`pzcenter.estimators.storage.read_model`."""
        stored = read_model(directory, estimator=cls.name)
        n_band = len(stored.manifest.bands)
        flux = stored.array("flux", (None, n_band), np.float32)
        n_train = flux.shape[0]
        arrays = {
            "flux": flux,
            "flux_err": stored.array("flux_err", (n_train, n_band), np.float32),
            "z_spec": stored.array("z_spec", (n_train,), np.float64),
            "softening": stored.array("softening", (n_band,), np.float64),
        }
        if not np.all(np.isfinite(arrays["z_spec"])) or not np.all(arrays["softening"] > 0):
            raise ModelError(f"{directory}: redshifts must be finite and softenings positive")
        loss = stored.manifest.facts.get("leave_one_out_cde_loss")
        return cls(
            config=checked_config(NeighboursConfig, stored.manifest.config),
            settings=_settings_from(stored.manifest.facts.get("settings"), str(directory)),
            bands=stored.manifest.bands,
            z_grid=stored.z_grid,
            training=stored.training,
            tuning_loss=float("nan") if loss is None else float(loss),
            **arrays,
        )

    def _space(self, columns: tuple[int, ...]) -> Space | None:
        if not columns:
            return None
        if columns not in self._spaces:
            self._spaces[columns] = space_of_bands(
                columns,
                self._flux,
                self._flux_err,
                self._z_spec,
                self._softening,
                magnitude_weight=self.settings.magnitude_weight,
                n_min=min(self.settings.n_neighbours, self.declaration.n_train_min),
            )
            while len(self._spaces) > _MAX_SPACES:
                self._spaces.popitem(last=False)
        return self._spaces[columns]

    def _estimate_block(
        self, space: Space, flux: NDArray[np.float32], flux_err: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        columns = list(space.columns)
        x, x_err = features(
            np.ascontiguousarray(flux[:, columns]),
            np.ascontiguousarray(flux_err[:, columns]),
            self._softening[columns],
            self.settings.magnitude_weight,
        )
        near, inside = space.nearest(x, min(self.settings.n_neighbours, space.n_train))
        densities = neighbour_densities(
            x, x_err, space.x, space.x_err, space.z, near, self.z_grid, self.settings.density
        )
        return densities, inside


def _settings_from(plain: Any, where: str) -> NeighbourSettings:
    known = {field.name for field in fields(NeighbourSettings)}
    if not isinstance(plain, dict) or set(plain) != known:
        raise ModelError(f"{where}: the manifest's settings must be {sorted(known)}")
    if not all(isinstance(value, int | float) and value > 0 for value in plain.values()):
        raise ModelError(f"{where}: the manifest's settings must be positive numbers")
    return NeighbourSettings(**plain)
