"""Training: from objects of known redshift to the numbers of a model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pzcenter.estimators.checks import require_different_redshifts
from pzcenter.estimators.density_network.augmentation import Augmentation
from pzcenter.estimators.density_network.domain import fit_domain
from pzcenter.estimators.density_network.grids import density_grid
from pzcenter.estimators.density_network.kernel import LOG_FLOOR, UNROLL, photometric_features, template_features
from pzcenter.estimators.density_network.model import DensityModel, no_networks
from pzcenter.estimators.density_network.networks import Examples, Networks, NetworkShape, require_jax
from pzcenter.estimators.density_network.recalibration import N_LEVEL, pit_density
from pzcenter.estimators.density_network.template_part import COARSE_GROUP, coarse_grid, fit_templates
from pzcenter.estimators.fingerprints import fingerprints
from pzcenter.science import metrics
from pzcenter.science.pz import normalise

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.random import Generator
    from numpy.typing import NDArray

    from pzcenter.estimators.checks import TrainingSample
    from pzcenter.estimators.density_network.augmentation import Copies
    from pzcenter.estimators.density_network.config import DensityNetworkConfig
    from pzcenter.estimators.density_network.grids import DensityGrid
    from pzcenter.estimators.density_network.template_part import TemplatePart

__all__ = ["train_model"]

_CHUNK_MIN, _CHUNK_MAX = 2048, 20_480
"""Objects copied at a time."""
_N_JUDGE = 20_000
"""Objects, at most, on which members are judged and densities calibrated."""
_N_CHECK = 12
_CHECK_FROM = 0.3
_WARM_UP, _LAST_RATE = 0.05, 0.01
_LARGEST = 5.0
_FALLBACK_FLAT = 0.5
_N_FINGERPRINT_MAX = 2_000_000


def train_model(
    sample: TrainingSample, config: DensityNetworkConfig, tell: Callable[[float, str], None]
) -> tuple[DensityModel, dict[str, float]]:
    """Train.

    Parameters
    ----------
    sample : TrainingSample
        Checked.
    config : DensityNetworkConfig
        Settings.
    tell : callable
        Progress.

    Returns
    -------
    model : DensityModel
    held_out : dict of str to float
        Metrics of the members on the objects that each did not see, recalibrated.

    Raises
    ------
    MissingDependencyError
        JAX or optax is not installed.
    ModelError
        All redshifts are the same.
    """
    require_jax()
    require_different_redshifts(sample.facts)
    tell(0.0, "preparing templates")
    templates = fit_templates(sample, config)
    tell(0.05, "templates prepared")
    rng = np.random.default_rng(config.seed)
    grid = density_grid(sample.z_grid, coarse_grid(sample.z_grid), config.resolution)
    view = _View.of(sample, config, templates, grid)
    kinds = _networks(view, config)
    part = _parts(sample, config.members, rng)
    judge = rng.permutation(sample.z_spec.size)[:_N_JUDGE]
    judged = view.examples(_Originals(sample.flux[judge], sample.flux_err[judge], sample.z_spec[judge]), part[judge])
    _fit(sample, config, view=view, kinds=kinds, part=part, judged=judged, rng=rng, tell=tell)
    tell(0.97, "calibrating")
    share = 1.0 / len(kinds)
    logits = np.mean([networks.held_out_logits(_inputs_of(judged, networks)) for networks in kinds], axis=0)
    recalibration, held_out = _recalibrate(logits, grid, sample.z_spec[judge])
    nets = [networks.network(share) for networks in kinds]
    bare, hybrid = nets[0][0], nets[1][0] if len(nets) > 1 else no_networks(nets[0][0])
    domain_flux, domain_err = Augmentation(sample, config, None).degraded(rng)
    model = DensityModel(
        softening=view.softening,
        known=view.known,
        mean=view.mean,
        scale=view.scale,
        bare=bare,
        hybrid=hybrid,
        domain=fit_domain(domain_flux, domain_err, view.softening, rng),
        power=sum(power for _, power in nets),
        pit_density=recalibration,
        fallback=_fallback(sample),
        templates=templates.estimator if templates is not None and len(nets) > 1 else None,
        template_columns=templates.columns if templates is not None and len(nets) > 1 else (),
        fingerprints=np.sort(fingerprints(sample.flux, sample.flux_err)[:_N_FINGERPRINT_MAX]),
    )
    tell(1.0, "trained")
    return model, held_out


@dataclass(frozen=True, eq=False)
class _Originals:
    """Training objects as they are, in the form of copies."""

    flux: NDArray[np.float32]
    flux_err: NDArray[np.float32]
    z: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class _View:
    """How networks see objects: features and their standardisation."""

    softening: NDArray[np.float64]
    known: NDArray[np.bool_]
    mean: NDArray[np.float32]
    scale: NDArray[np.float32]
    templates: TemplatePart | None
    grid: DensityGrid
    hybrid: bool

    @classmethod
    def of(
        cls,
        sample: TrainingSample,
        config: DensityNetworkConfig,
        templates: TemplatePart | None,
        grid: DensityGrid,
    ) -> _View:
        known: NDArray[np.bool_] = np.asarray(np.isfinite(sample.flux).any(axis=0))
        softening = np.ones(known.size)
        for band in np.flatnonzero(known):
            softening[band] = config.softening * np.nanmedian(sample.flux_err[:, band].astype(np.float64))
        hybrid = config.speed == "accurate" and templates is not None
        plain = cls(softening, known, np.zeros(0, np.float32), np.zeros(0, np.float32), templates, grid, hybrid)
        rows = np.random.default_rng(config.seed).permutation(sample.z_spec.size)[:_N_JUDGE]
        x, _ = plain.features(sample.flux[rows], sample.flux_err[rows])
        finite = np.isfinite(x)
        n = np.maximum(finite.sum(axis=0), 1)
        values = np.where(finite, x, 0).astype(np.float64)
        mean = values.sum(axis=0) / n
        spread = np.sqrt((np.where(finite, x - mean, 0) ** 2).sum(axis=0) / n)
        n_band = known.size
        missing = slice(3 * n_band - 1, 4 * n_band - 1)
        mean[missing], spread[missing] = 0.0, 1.0
        scale = 1.0 / np.maximum(spread, 1e-3)
        return cls(softening, known, mean.astype(np.float32), scale.astype(np.float32), templates, grid, hybrid)

    def features(
        self, flux: NDArray[np.float32], flux_err: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Features before they are standardised, and the logarithm of the template density."""
        x = photometric_features(flux, flux_err, self.softening)
        if not self.hybrid:
            return x, np.zeros((flux.shape[0], self.grid.log_coarse.shape[0]), dtype=np.float32)
        assert self.templates is not None
        pdf, misfit = self.templates.densities(flux, flux_err)
        coarse = coarse_grid(self.grid.z_grid)
        with np.errstate(invalid="ignore", divide="ignore"):
            log_template = np.log(np.maximum(pdf / pdf.max(axis=1, keepdims=True), LOG_FLOOR))
        log_template[~np.isfinite(log_template)] = 0.0
        return np.column_stack([x, template_features(pdf, misfit, coarse, COARSE_GROUP)]), log_template

    def examples(self, objects: Copies | _Originals, left_out: NDArray[np.int32]) -> Examples:
        """Objects in the form of the networks."""
        x, log_template = self.features(objects.flux, objects.flux_err)
        x = np.clip((x - self.mean) * self.scale, -_LARGEST, _LARGEST)
        padded = np.zeros((x.shape[0], _padded(x.shape[1])), dtype=np.float32)
        padded[:, : x.shape[1]] = np.where(np.isfinite(x), x, 0)
        cell, part = self.grid.place(objects.z)
        return Examples(padded, log_template, cell, part, left_out)


def _padded(n: int) -> int:
    return -(-n // UNROLL) * UNROLL


def _networks(view: _View, config: DensityNetworkConfig) -> list[Networks]:
    n_input = _padded(4 * view.known.size - 1)
    widths = [(n_input, False)] + ([(_padded(view.mean.size), True)] if view.hybrid else [])
    return [
        Networks(
            NetworkShape(config.members, width, config.n_hidden, config.layers, view.grid.n_bump, with_template),
            view.grid,
            cde_weight=config.cde_weight,
            weight_decay=config.weight_decay,
            seed=config.seed,
        )
        for width, with_template in widths
    ]


def _parts(sample: TrainingSample, n_part: int, rng: Generator) -> NDArray[np.int32]:
    """Part of each object; equal objects are in the same one, so that none is judged on its double."""
    same = np.unique(fingerprints(sample.flux, sample.flux_err), return_inverse=True)[1].reshape(-1)
    order = rng.permutation(int(same.max()) + 1)
    return (order[same] % n_part).astype(np.int32)


def _stream(n: int, rng: Generator) -> Iterator[NDArray[np.int64]]:
    while True:
        yield rng.permutation(n)


def _fit(
    sample: TrainingSample,
    config: DensityNetworkConfig,
    *,
    view: _View,
    kinds: list[Networks],
    part: NDArray[np.int32],
    judged: Examples,
    rng: Generator,
    tell: Callable[[float, str], None],
) -> None:
    n = sample.z_spec.size
    batch = int(min(config.batch_size, max(16, n // 10)))
    n_step = max(1, int(np.clip(n, _CHUNK_MIN, _CHUNK_MAX)) // batch)
    seen = min(config.max_epochs * n, config.n_samples_seen)
    n_chunk = max(2, round(seen / (n_step * batch)))
    rates = _rates(n_chunk * n_step, config.learning_rate).reshape(n_chunk, n_step)
    checks = {round(at) for at in np.linspace(_CHECK_FROM * n_chunk, n_chunk - 1, _N_CHECK)}
    augmentation = Augmentation(sample, config, view.templates)
    pool = np.empty(0, dtype=np.int64)
    stream = _stream(n, rng)
    for chunk in range(n_chunk):
        while pool.size < n_step * batch:
            pool = np.concatenate([pool, next(stream)])
        rows, pool = pool[: n_step * batch], pool[n_step * batch :]
        examples = view.examples(augmentation.copies(rows, rng), part[rows])
        text = f"{(chunk + 1) * n_step * batch} objects seen"
        for networks in kinds:
            networks.learn(_inputs_of(examples, networks), rates[chunk], batch)
            if chunk in checks:
                score = networks.keep_best(_inputs_of(judged, networks))
                text += f", held-out log score {-score:.3f}"
        tell(0.05 + 0.9 * (chunk + 1) / n_chunk, text)


def _inputs_of(examples: Examples, networks: Networks) -> Examples:
    """The photometric features come first: networks without templates take those alone."""
    return examples._replace(x=np.ascontiguousarray(examples.x[:, : networks.shape.n_input]))


def _rates(n_step: int, highest: float) -> NDArray[np.float32]:
    """Learning rates: up in a straight line, down with a cosine."""
    at = (np.arange(n_step) + 1) / n_step
    up = at / _WARM_UP
    down = _LAST_RATE + (1 - _LAST_RATE) * 0.5 * (1 + np.cos(np.pi * (at - _WARM_UP) / (1 - _WARM_UP)))
    return (highest * np.where(at < _WARM_UP, up, down)).astype(np.float32)


def _recalibrate(
    logits: NDArray[Any], grid: DensityGrid, z_spec: NDArray[np.float64]
) -> tuple[NDArray[np.float32], dict[str, float]]:
    pdf = normalise(np.exp(logits - logits.max(axis=1, keepdims=True)), grid.z_grid)
    pit = metrics.pit(pdf, grid.z_grid, z_spec)
    density = pit_density(pit)
    mass = pdf * grid.z_weight
    middle = np.cumsum(mass, axis=1) - 0.5 * mass
    changed = normalise(pdf * np.interp(middle, np.linspace(0, 1, N_LEVEL), density), grid.z_grid)
    z_mode = grid.z_grid[np.argmax(changed, axis=1)]
    return density, {
        "cde_loss": float(metrics.cde_loss(changed, grid.z_grid, z_spec)),
        "sigma_nmad": float(metrics.sigma_nmad(z_mode, z_spec)),
        "outlier_fraction": float(metrics.outlier_fraction(z_mode, z_spec)),
        "pit_ks_before": float(metrics.pit_ks(pit)),
        "pit_ks": float(metrics.pit_ks(metrics.pit(changed, grid.z_grid, z_spec))),
    }


def _fallback(sample: TrainingSample) -> NDArray[np.float32]:
    """Density of an object of which nothing is known: half n(z) of the training set, half flat."""
    z, grid = sample.z_spec, sample.z_grid
    width = max(1.06 * float(np.std(z)) * z.size**-0.2, 1e-3)
    some = np.quantile(z, (np.arange(200) + 0.5) / 200)
    nz = normalise(np.exp(-0.5 * ((grid - some[:, None]) / width) ** 2).sum(axis=0)[None], grid)[0]
    flat = 1.0 / (grid[-1] - grid[0])
    density: NDArray[np.float32] = ((1 - _FALLBACK_FLAT) * nz + _FALLBACK_FLAT * flat).astype(np.float32)
    return density
