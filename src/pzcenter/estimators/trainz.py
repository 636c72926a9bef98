"""The control: every object gets the redshift distribution of the training set.

It uses no photometry, so its accuracy is that of knowing the sample and nothing of the object. A method that does not
beat it has learnt nothing, and a metric that it does well in (its PIT is nearly perfect) does not measure knowledge.

References
----------
Schmidt et al. 2020, MNRAS 499, 1587 (there called trainZ).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
from pydantic import Field

from pzcenter.errors import ModelError
from pzcenter.estimators.checks import check_photometry, check_training
from pzcenter.estimators.protocol import Declaration, EstimatorConfig, TrainingFacts, checked_config
from pzcenter.estimators.storage import read_model, write_model
from pzcenter.schema import PZ

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from pzcenter.estimators.protocol import Progress
    from pzcenter.schema import Photometry

__all__ = ["TrainZConfig", "TrainZEstimator", "redshift_density"]

_MIN_WIDTH_IN_STEPS = 1.0
"""A kernel narrower than this many grid steps cannot be drawn on the grid."""


class TrainZConfig(EstimatorConfig):
    """Settings of the control."""

    method: Literal["kde", "histogram"] = Field(
        default="kde",
        title="How n(z) is drawn",
        description="kde: Gaussian kernels, reflected at the ends of the grid. histogram: each redshift shared "
        "linearly between its two grid points.",
    )
    bandwidth: float | None = Field(
        default=None,
        gt=0,
        le=1,
        title="Kernel width",
        description="Standard deviation in redshift; Silverman's rule when not given. For kde only.",
    )


class TrainZEstimator:
    """A model of the control: one n(z).

    Parameters
    ----------
    config : TrainZConfig
        Settings.
    bands : tuple of str
        Bands of the training photometry; an object needs one of them to get an estimate, as for the other methods.
    z_grid : ndarray of float64, (n_z,)
        Redshift grid.
    density : ndarray of float32, (n_z,)
        n(z) with unit integral.
    training : TrainingFacts
        The sample in numbers.
    """

    name: ClassVar[str] = "trainz"
    needs_training: ClassVar[bool] = True
    Config: ClassVar[type[EstimatorConfig]] = TrainZConfig
    declaration: ClassVar[Declaration] = Declaration(needs_dereddened=False, n_train_min=2)

    def __init__(
        self,
        *,
        config: TrainZConfig,
        bands: tuple[str, ...],
        z_grid: NDArray[np.float64],
        density: NDArray[np.float32],
        training: TrainingFacts | None,
    ) -> None:
        self.config = config
        self.bands = bands
        self.z_grid = z_grid
        self.density = density
        self.training = training

    @classmethod
    def default(cls, *, config: EstimatorConfig | None = None, z_grid: NDArray[Any] | None = None) -> Self:
        """Refuse: there is no n(z) without data.

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
        """Draw n(z) of the training redshifts; see :meth:`pzcenter.estimators.Estimator.train`."""
        settings = checked_config(TrainZConfig, config)
        sample = check_training(photometry, z_spec, z_grid, cls.declaration)
        density = redshift_density(sample.z_spec, sample.z_grid, settings)
        if progress is not None:
            progress(1.0, "n(z) drawn")
        return cls(config=settings, bands=sample.bands, z_grid=sample.z_grid, density=density, training=sample.facts)

    def estimate(self, photometry: Photometry) -> PZ:
        """Give n(z) to every object with a usable band; see :meth:`pzcenter.estimators.Estimator.estimate`."""
        checked = check_photometry(photometry, self.bands, self.declaration)
        pdf = np.full((photometry.n_obj, self.z_grid.size), np.nan, dtype=np.float32)
        pdf[checked.has_estimate] = self.density
        return PZ(pdf=pdf, z_grid=self.z_grid, flags=checked.flags)

    def save(self, directory: Path | str) -> None:
        """Write the model; see :func:`pzcenter.estimators.storage.write_model`."""
        write_model(
            directory,
            estimator=self.name,
            config=self.config,
            bands=self.bands,
            z_grid=self.z_grid,
            arrays={"density": self.density},
            training=self.training,
        )

    @classmethod
    def load(cls, directory: Path | str) -> Self:
        """Read a model; see :func:`pzcenter.estimators.storage.read_model`."""
        stored = read_model(directory, estimator=cls.name)
        density = stored.array("density", (stored.z_grid.size,), np.float32)
        if not np.all(np.isfinite(density)) or density.min() < 0:
            raise ModelError(f"{directory}: the n(z) of a model must be finite and not negative")
        return cls(
            config=checked_config(TrainZConfig, stored.manifest.config),
            bands=stored.manifest.bands,
            z_grid=stored.z_grid,
            density=density,
            training=stored.training,
        )


def redshift_density(
    z_spec: NDArray[np.float64], z_grid: NDArray[np.float64], config: TrainZConfig
) -> NDArray[np.float32]:
    """Density of a set of redshifts on a grid.

    Parameters
    ----------
    z_spec : ndarray, (n_obj,)
        Within the grid.
    z_grid : ndarray, (n_z,)
        Increasing.
    config : TrainZConfig
        Method and kernel width.

    Returns
    -------
    ndarray of float32, (n_z,)
        Unit integral by the trapezoidal rule.

    References
    ----------
    Silverman 1986, Density Estimation for Statistics and Data Analysis, eq. 3.31 (kernel width).
    """
    counts = _shared_between_grid_points(z_spec, z_grid)
    if config.method == "histogram":
        from pzcenter.science.pz.grid import trapezoid_weights  # late: its package compiles kernels

        density = counts / trapezoid_weights(z_grid)
    else:
        width = config.bandwidth if config.bandwidth is not None else _silverman_width(z_spec)
        width = max(width, _MIN_WIDTH_IN_STEPS * float(np.max(np.diff(z_grid))))
        density = np.zeros(z_grid.size)
        # Kernels of the counts, not of each object: the cost does not grow with the sample.
        for mirror in (z_grid, 2 * z_grid[0] - z_grid, 2 * z_grid[-1] - z_grid):
            density += np.exp(-0.5 * ((z_grid[:, None] - mirror[None, :]) / width) ** 2) @ counts
    return np.asarray(density / np.trapezoid(density, z_grid), dtype=np.float32)


def _shared_between_grid_points(z_spec: NDArray[np.float64], z_grid: NDArray[np.float64]) -> NDArray[np.float64]:
    left = np.clip(np.searchsorted(z_grid, z_spec, side="right") - 1, 0, z_grid.size - 2)
    share = (z_spec - z_grid[left]) / (z_grid[left + 1] - z_grid[left])
    counts = np.bincount(left, weights=1 - share, minlength=z_grid.size)
    return np.asarray(counts + np.bincount(left + 1, weights=share, minlength=z_grid.size))


def _silverman_width(z_spec: NDArray[np.float64]) -> float:
    """0.9 min(std, IQR/1.34) n^(-1/5); the standard deviation alone where the quartiles coincide."""
    spread = float(np.std(z_spec))
    quartiles = np.percentile(z_spec, [25, 75])
    iqr_width = float(quartiles[1] - quartiles[0]) / 1.34
    return float(0.9 * (min(spread, iqr_width) if iqr_width > 0 else spread) * z_spec.size**-0.2)
