"""Any method of RAIL as one of ours: ``rail:NAME`` runs the stages ``NAMEInformer`` and ``NAMEEstimator``.

RAIL runs in a process of its own, which is given magnitudes and gives back densities; see
:mod:`pzcenter.estimators.rail.worker`. Its model is a pickle: kept here as bytes, and opened there alone.

References
----------
The RAIL Team 2025, arXiv:2505.02928.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from pzcenter.errors import ChecksumError, ModelError
from pzcenter.estimators.checks import check_photometry, check_training
from pzcenter.estimators.protocol import Declaration, EstimatorConfig, TrainingFacts, checked_config
from pzcenter.estimators.rail.columns import REDSHIFT_COLUMN, err_column, mag_column, order_bands
from pzcenter.estimators.rail.magnitudes import limiting_magnitudes, rail_magnitudes
from pzcenter.estimators.rail.parameters import (
    RailConfig,
    RailMethod,
    check_required,
    stage_parameters,
)
from pzcenter.estimators.rail.process import RailProcess, rail_process
from pzcenter.estimators.rail.settings import RailSettings
from pzcenter.estimators.rail.trust import prepare_trust, require_trust, trust, withdraw_trust
from pzcenter.estimators.storage import StoredModel, read_manifest, read_model, write_model
from pzcenter.schema import PZ, PZFlag

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from pzcenter.estimators.protocol import Progress
    from pzcenter.schema import Photometry

__all__ = ["FAMILY", "RailEstimator", "trust_model", "withdraw_model"]

FAMILY = "rail"
"""What stands before the colon in the names of these methods."""
_MODEL_ARRAY = "rail_model"
_MARKS = ("unobserved_val", "nonobserved_val")
"""Parameters of methods that know bands which were not observed."""


class RailEstimator:
    """A model of a method of RAIL; the classes of the methods are made in :mod:`pzcenter.estimators.rail.methods`.

    Parameters
    ----------
    config : RailConfig
        Settings.
    bands : tuple of str
        In the model's order.
    z_grid : ndarray of float64, (n_z,)
        Redshift grid.
    content : bytes
        What the informer wrote.
    mag_limits : dict of str to float
        One-sigma limits of the training sample, for bands of which RAIL knows none.
    versions : dict of str to str
        Of RAIL and its interpreter at the training.
    training : TrainingFacts or None
        The sample in numbers.
    """

    name: ClassVar[str] = FAMILY
    method: ClassVar[RailMethod]
    needs_training: ClassVar[bool] = True
    Config: ClassVar[type[EstimatorConfig]] = RailConfig
    declaration: ClassVar[Declaration] = Declaration(n_train_min=20)

    def __init__(
        self,
        *,
        config: RailConfig,
        bands: tuple[str, ...],
        z_grid: NDArray[np.float64],
        content: bytes,
        mag_limits: dict[str, float],
        versions: dict[str, str],
        training: TrainingFacts | None,
    ) -> None:
        self.config = config
        self.bands = bands
        self.z_grid = z_grid
        self.training = training
        self.mag_limits = mag_limits
        self.versions = versions
        self.cpu_s = 0.0
        """Processor seconds that estimates took in RAIL's process, all calls together."""
        self._content = content
        self._sha256 = hashlib.sha256(content).hexdigest()
        self._place = "MODEL"

    @property
    def pickle(self) -> bytes:
        """The model as RAIL's informer wrote it; nothing here opens it."""
        return self._content

    @classmethod
    def default(cls, *, config: EstimatorConfig | None = None, z_grid: NDArray[Any] | None = None) -> Self:
        """Refuse: RAIL's methods have no model without their informer.

        Raises
        ------
        ModelError
            Always.
        """
        del config, z_grid
        raise ModelError(f"{cls.name} has no model without data: train it (pz train {cls.name} ...)")

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
        """Run the informer; see :meth:`pzcenter.estimators.Estimator.train`.

        The model is trusted by this user from now on.

        Raises
        ------
        ModelError
            RAIL's method raised something.
        ExecutorError
            It took too long or too much memory.
        """
        settings = checked_config(_config_of(cls), config)
        check_required(cls.method, settings)
        prepare_trust()
        bands = order_bands(photometry.bands, settings.use_bands)
        sample = check_training(photometry.with_bands(bands), z_spec, z_grid, cls.declaration)
        mag_limits = limiting_magnitudes(sample.flux_err, bands)
        if progress is not None:
            progress(0.0, f"RAIL's {cls.method.name}Informer")
        mags = rail_magnitudes(
            sample.flux,
            sample.flux_err,
            detection_snr=settings.detection_snr,
            marks_missing=_marks(cls.method.informer),
        )
        limits = RailSettings.from_environment()
        _, arrays = rail_process(limits).ask(
            {
                "command": "train",
                "method": cls.method.name,
                "parameters": stage_parameters(cls.method, settings, bands, sample.z_grid, mag_limits),
                "columns": [*_columns(bands), REDSHIFT_COLUMN],
            },
            {"table": np.concatenate([mags, sample.z_spec[None, :]])},
            within_s=limits.train_s,
            doing=f"training {cls.name}",
        )
        model = cls(
            config=settings,
            bands=bands,
            z_grid=sample.z_grid,
            content=arrays["model"].tobytes(),
            mag_limits=mag_limits,
            versions=cls.method.versions,
            training=sample.facts,
        )
        trust(model._sha256, cls.name, why="trained")
        if progress is not None:
            progress(1.0, "trained")
        return model

    def estimate(self, photometry: Photometry) -> PZ:
        """Run the estimator in batches; see :meth:`pzcenter.estimators.Estimator.estimate`."""
        checked = check_photometry(photometry, self.bands, self.declaration)
        wanted = checked.has_estimate
        if self.config.missing_bands == "flag":
            wanted = checked.n_used == len(self.bands)
        pdf = np.full((photometry.n_obj, self.z_grid.size), np.nan, dtype=np.float32)
        rows = np.flatnonzero(wanted)
        limits = RailSettings.from_environment()
        for start in range(0, rows.size, limits.batch_size):
            batch = rows[start : start + limits.batch_size]
            pdf[batch] = self._densities(checked.flux[batch], checked.flux_err[batch], limits)
        checked.flags[np.isnan(pdf[:, 0])] |= np.uint32(PZFlag.no_estimate)
        return PZ(pdf=pdf, z_grid=self.z_grid, flags=checked.flags)

    def _densities(
        self, flux: NDArray[np.float32], flux_err: NDArray[np.float32], limits: RailSettings
    ) -> NDArray[np.float32]:
        """Densities of a batch as RAIL gives them, with unit integral on our grid."""
        from pzcenter.science.pz import normalise  # late: its package compiles kernels

        marks = _marks(self.method.estimator)
        mags = rail_magnitudes(flux, flux_err, detection_snr=self.config.detection_snr, marks_missing=marks)
        process = rail_process(limits)
        with process.lock:
            self._open(process, limits)
            begin = process.cpu_s
            _, arrays = process.ask(
                {"command": "estimate", "columns": _columns(self.bands)},
                {"table": mags},
                within_s=limits.batch_s,
                doing=f"an estimate with {self.name}",
            )
            self.cpu_s += process.cpu_s - begin
        given = arrays.get("pdf")
        if given is None or given.shape != (flux.shape[0], self.z_grid.size) or given.dtype != np.float32:
            shape = None if given is None else given.shape
            raise ModelError(f"{self.name} gave densities of shape {shape} for {flux.shape[0]} objects")
        return normalise(given, self.z_grid)

    def _open(self, process: RailProcess, limits: RailSettings) -> None:
        """Have the worker open the model, unless it is the one that is open."""
        identity = f"{self.name} {self._sha256} {self.config.model_dump_json()} {hash(self.z_grid.tobytes())}"
        if process.opened == identity:
            return
        require_trust(self._sha256, self.name, where=self._place)
        process.opened = ""
        process.ask(
            {
                "command": "open",
                "method": self.method.name,
                "parameters": stage_parameters(self.method, self.config, self.bands, self.z_grid, self.mag_limits),
            },
            {"model": np.frombuffer(self._content, dtype=np.uint8), "z_grid": self.z_grid},
            within_s=limits.start_s,
            doing=f"opening a model of {self.name}",
        )
        process.opened = identity

    def save(self, directory: Path | str) -> None:
        """Write the model; see :func:`pzcenter.estimators.storage.write_model`."""
        write_model(
            directory,
            estimator=self.name,
            config=self.config,
            bands=self.bands,
            z_grid=self.z_grid,
            arrays={_MODEL_ARRAY: np.frombuffer(self._content, dtype=np.uint8)},
            training=self.training,
            facts={"pickle_sha256": self._sha256, "mag_limits": self.mag_limits, "versions": self.versions},
        )

    @classmethod
    def load(cls, directory: Path | str) -> Self:
        """Read a model that was trained or trusted here; see :func:`pzcenter.estimators.storage.read_model`.

        Raises
        ------
        ModelError
            Nobody here trained or trusts it.
        """
        stored = read_model(directory, estimator=cls.name)
        content, sha256 = _pickle_of(stored, directory)
        require_trust(sha256, cls.name, where=str(directory))
        limits, versions = (stored.manifest.facts.get(name, {}) for name in ("mag_limits", "versions"))
        if not isinstance(limits, dict) or not all(isinstance(value, int | float) for value in limits.values()):
            raise ModelError(f"{directory}: mag_limits must be numbers by band; got {limits!r}")
        if not isinstance(versions, dict):
            raise ModelError(f"{directory}: versions must be a mapping; got {versions!r}")
        model = cls(
            config=checked_config(_config_of(cls), stored.manifest.config),
            bands=stored.manifest.bands,
            z_grid=stored.z_grid,
            content=content,
            mag_limits={str(band): float(value) for band, value in limits.items()},
            versions=versions,
            training=stored.training,
        )
        model._place = str(directory)
        return model


def trust_model(directory: Path | str) -> str:
    """Let this user open a model of RAIL that somebody else trained.

    Parameters
    ----------
    directory : Path or str
        Of the model.

    Returns
    -------
    str
        SHA-256 of the pickle in it.

    Raises
    ------
    ModelError
        It is no model of RAIL.
    """
    method, sha256 = _identity_of(directory)
    trust(sha256, method, why="trusted")
    return sha256


def withdraw_model(directory: Path | str) -> str:
    """Take back what :func:`trust_model`, or a training, gave.

    Parameters
    ----------
    directory : Path or str
        Of the model.

    Returns
    -------
    str
        SHA-256 of the pickle in it.

    Raises
    ------
    ModelError
        It is no model of RAIL.
    """
    _, sha256 = _identity_of(directory)
    withdraw_trust(sha256)
    return sha256


def _identity_of(directory: Path | str) -> tuple[str, str]:
    """Method of a saved model and SHA-256 of its pickle."""
    method = read_manifest(directory).estimator
    if not method.startswith(f"{FAMILY}:"):
        raise ModelError(f"{directory} is a model of {method}, which is data only and needs no trust")
    _, sha256 = _pickle_of(read_model(directory, estimator=method), directory)
    return method, sha256


def _config_of(cls: type[RailEstimator]) -> type[RailConfig]:
    assert issubclass(cls.Config, RailConfig)
    return cls.Config


def _columns(bands: tuple[str, ...]) -> list[str]:
    return [*(mag_column(band) for band in bands), *(err_column(band) for band in bands)]


def _marks(stage: dict[str, Any]) -> bool:
    return any(name in stage for name in _MARKS)


def _pickle_of(stored: StoredModel, directory: Path | str) -> tuple[bytes, str]:
    """Bytes of the pickle and their SHA-256, which must be what the manifest says."""
    content = stored.array(_MODEL_ARRAY, (None,), np.uint8).tobytes()
    sha256 = hashlib.sha256(content).hexdigest()
    if stored.manifest.facts.get("pickle_sha256") != sha256:
        raise ChecksumError(f"{directory}: the pickle of RAIL is not the one that the manifest recorded")
    return content, sha256
