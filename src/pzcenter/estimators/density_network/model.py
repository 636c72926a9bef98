"""All numbers of a trained model, and their form on disk."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pzcenter.errors import ModelError, UsageError
from pzcenter.estimators.density_network.grids import density_grid
from pzcenter.estimators.density_network.kernel import UNROLL, DensityTables, Domain, Network
from pzcenter.estimators.density_network.template_part import coarse_grid
from pzcenter.estimators.template import TemplateEstimator
from pzcenter.estimators.template_model import TemplateConfig, TemplateModel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pzcenter.estimators.density_network.config import DensityNetworkConfig
    from pzcenter.estimators.storage import StoredModel

__all__ = ["LAYOUT", "DensityModel", "model_arrays", "model_facts", "model_from", "no_networks", "writable"]

LAYOUT = 1
"""Version of the arrays on disk; one more when an older program could not use them."""

_NET = Network._fields
_DOMAIN = Domain._fields
_TEMPLATE = ("model_flux", "log_prior", "template_type", "relative_err", "zero_point_factor")


@dataclass(frozen=True, eq=False)
class DensityModel:
    """Numbers of a model.

    Parameters
    ----------
    softening : ndarray of float64, (n_band,)
        Of the asinh magnitudes, nJy.
    known : ndarray of bool, (n_band,)
        Bands that training objects had; others are not looked at.
    mean, scale : ndarray of float32, (n_feature,)
        Standardisation of the features.
    bare, hybrid : Network
        Without and with template features; a kind may have no members.
    domain : Domain
        See there.
    power : float
        Exponent of the template density.
    pit_density, fallback : ndarray of float32
        See :class:`pzcenter.estimators.density_network.kernel.DensityTables`.
    templates : TemplateEstimator or None
        On the coarse grid.
    template_columns : tuple of int
        Its bands among the model's.
    fingerprints : ndarray of uint64, (n_train,)
        Of the training objects, sorted.
    """

    softening: NDArray[np.float64]
    known: NDArray[np.bool_]
    mean: NDArray[np.float32]
    scale: NDArray[np.float32]
    bare: Network
    hybrid: Network
    domain: Domain
    power: float
    pit_density: NDArray[np.float32]
    fallback: NDArray[np.float32]
    templates: TemplateEstimator | None
    template_columns: tuple[int, ...]
    fingerprints: NDArray[np.uint64]

    def tables(self, z_grid: NDArray[np.float64], resolution: float) -> DensityTables:
        """Tables of the kernel for the grid of the model."""
        grid = density_grid(z_grid, coarse_grid(z_grid), resolution)
        return DensityTables(
            first_bump=grid.first_bump,
            bump=grid.taps,
            coarse_cell=grid.coarse_cell,
            coarse_part=grid.coarse_part,
            template_power=np.float32(self.power),
            z_weight=grid.z_weight,
            pit_density=self.pit_density,
            fallback=self.fallback,
        )


def no_networks(like: Network) -> Network:
    """Give networks without members, for a kind that is not used."""
    return Network(*(np.ascontiguousarray(array[:0]) for array in like))


def model_arrays(model: DensityModel) -> dict[str, NDArray[Any]]:
    """Arrays to be written."""
    arrays: dict[str, NDArray[Any]] = {
        "softening": model.softening,
        "known": model.known.astype(np.uint8),
        "mean": model.mean,
        "scale": model.scale,
        "pit_density": model.pit_density,
        "fallback": model.fallback,
        "fingerprints": model.fingerprints,
    }
    arrays |= {f"domain_{name}": value for name, value in zip(_DOMAIN, model.domain, strict=True)}
    for kind, net in (("bare", model.bare), ("hybrid", model.hybrid)):
        if net.first.shape[0]:
            arrays |= {f"{kind}_{name}": value for name, value in zip(_NET, net, strict=True)}
    if model.templates is not None:
        stored = model.templates.model
        arrays |= {f"template_{name.removeprefix('template_')}": getattr(stored, name) for name in _TEMPLATE}
        if stored.template_err is not None:
            arrays["template_err"] = stored.template_err
    return arrays


def model_facts(model: DensityModel, held_out: dict[str, float]) -> dict[str, Any]:
    """Plain values to be written."""
    facts: dict[str, Any] = {"layout": LAYOUT, "template_power": model.power, "held_out": held_out}
    if model.templates is not None:
        stored = model.templates.model
        facts["templates"] = {
            "config": model.templates.config.model_dump(mode="json"),
            "bands": list(model.templates.bands),
            "prior_mag_min": stored.prior_mag_min,
            "prior_mag_step": stored.prior_mag_step,
        }
    return facts


def model_from(stored: StoredModel, config: DensityNetworkConfig, where: str) -> DensityModel:
    """Interpret what was read.

    Raises
    ------
    ModelError
        Written by a newer version, or numbers that do not make a model.
    """
    facts = stored.manifest.facts
    layout = facts.get("layout")
    if not isinstance(layout, int) or layout < 1:
        raise ModelError(f"{where}: the manifest's layout must be a whole number from 1; got {layout!r}")
    if layout > LAYOUT:
        raise ModelError(
            f"{where}: written by a newer version (layout {layout}; this one reads up to {LAYOUT}): update pzcenter"
        )
    n_band, n_z = len(stored.manifest.bands), stored.z_grid.size
    coarse = coarse_grid(stored.z_grid)
    templates, columns = _templates_from(stored, coarse, where)
    n_feature = stored.array("mean", (None,), np.float32).size
    bump = density_grid(stored.z_grid, coarse, config.resolution).n_bump
    bare = _network_from(stored, "bare", bump)
    hybrid = _network_from(stored, "hybrid", bump)
    if bare is None or (hybrid is not None and templates is None):
        raise ModelError(f"{where}: networks are missing, or they need templates that are not there")
    power = facts.get("template_power")
    if not isinstance(power, int | float):
        raise ModelError(f"{where}: the manifest must give template_power; got {power!r}")
    n_place = stored.array("domain_radius", (None,), np.float32).size
    model = DensityModel(
        softening=stored.array("softening", (n_band,), np.float64),
        known=stored.array("known", (n_band,), np.uint8).astype(bool),
        mean=stored.array("mean", (n_feature,), np.float32),
        scale=stored.array("scale", (n_feature,), np.float32),
        bare=bare,
        hybrid=no_networks(bare) if hybrid is None else hybrid,
        domain=Domain(
            mag=stored.array("domain_mag", (n_place, n_band), np.float32),
            seen=stored.array("domain_seen", (n_place, n_band), np.float32),
            noise=stored.array("domain_noise", (n_place,), np.float32),
            radius=stored.array("domain_radius", (n_place,), np.float32),
            weights=stored.array("domain_weights", (3,), np.float32),
        ),
        power=float(power),
        pit_density=stored.array("pit_density", (None,), np.float32),
        fallback=stored.array("fallback", (n_z,), np.float32),
        templates=templates,
        template_columns=columns,
        fingerprints=stored.array("fingerprints", (None,), np.uint64),
    )
    _check_numbers(model, where)
    return model


def writable(model: DensityModel) -> DensityModel:
    """Give copies of the arrays that may be written to: for others the kernel would be compiled a second time."""

    def net(arrays: Network) -> Network:
        return Network(*(np.array(array) for array in arrays))

    return replace(
        model,
        softening=np.array(model.softening),
        mean=np.array(model.mean),
        scale=np.array(model.scale),
        bare=net(model.bare),
        hybrid=net(model.hybrid),
        domain=Domain(*(np.array(array) for array in model.domain)),
        pit_density=np.array(model.pit_density),
        fallback=np.array(model.fallback),
    )


def _check_numbers(model: DensityModel, where: str) -> None:
    parts: list[Any] = [model.softening, model.mean, model.scale, model.pit_density, model.fallback, *model.domain]
    parts += [*model.bare, *model.hybrid]
    if not all(np.all(np.isfinite(part)) for part in parts):
        raise ModelError(f"{where}: the numbers of the model must be finite")
    positive = (model.softening, model.domain.radius, model.pit_density)
    if not all(np.all(part > 0) for part in positive) or model.pit_density.size < 2 or model.fallback.sum() <= 0:
        raise ModelError(f"{where}: softening, radius, pit_density must be positive, and the fallback a density")
    n_input = 4 * model.softening.size - 1
    needed = model.mean.size if model.hybrid.first.shape[0] else n_input
    if model.bare.first.shape[2] < n_input or needed > max(model.bare.first.shape[2], model.hybrid.first.shape[2]):
        raise ModelError(f"{where}: the networks have fewer inputs than there are features")
    if model.mean.size < n_input:
        raise ModelError(f"{where}: {model.mean.size} features are described, {n_input} are needed")


def _network_from(stored: StoredModel, kind: str, n_bump: int) -> Network | None:
    if f"{kind}_first" not in stored.arrays:
        return None
    n_net, n_hidden, n_input = stored.array(f"{kind}_first", (None, None, None), np.float32).shape
    inner = stored.array(f"{kind}_inner", (n_net, None, n_hidden, n_hidden), np.float32)
    if n_hidden % UNROLL or n_input % UNROLL or n_net == 0:
        raise ModelError(f"inputs and hidden units of {kind} must be multiples of {UNROLL}; got {n_input}, {n_hidden}")
    return Network(
        first=stored.array(f"{kind}_first", (n_net, n_hidden, n_input), np.float32),
        first_bias=stored.array(f"{kind}_first_bias", (n_net, n_hidden), np.float32),
        inner=inner,
        inner_bias=stored.array(f"{kind}_inner_bias", (n_net, inner.shape[1], n_hidden), np.float32),
        last=stored.array(f"{kind}_last", (n_net, n_bump, n_hidden), np.float32),
        last_bias=stored.array(f"{kind}_last_bias", (n_net, n_bump), np.float32),
    )


def _templates_from(
    stored: StoredModel, coarse: NDArray[np.float64], where: str
) -> tuple[TemplateEstimator | None, tuple[int, ...]]:
    facts = stored.manifest.facts.get("templates")
    if facts is None:
        return None, ()
    try:
        bands = tuple(str(band) for band in facts["bands"])
        columns = tuple(stored.manifest.bands.index(band) for band in bands)
        n_band, n_z = len(bands), coarse.size
        model_flux = stored.array("template_model_flux", (None, n_band, n_z), np.float32)
        model = TemplateModel(
            model_flux=model_flux,
            z_grid=coarse,
            log_prior=stored.array("template_log_prior", (None, None, n_z), np.float32),
            prior_mag_min=float(facts["prior_mag_min"]),
            prior_mag_step=float(facts["prior_mag_step"]),
            template_type=stored.array("template_type", (model_flux.shape[0],), np.int64),
            relative_err=stored.array("template_relative_err", (n_band,), np.float64),
            template_err=None,
            zero_point_factor=stored.array("template_zero_point_factor", (n_band,), np.float64),
        )
        if "template_err" in stored.arrays:
            model = replace(model, template_err=stored.array("template_err", (n_band, n_z), np.float64))
        config = TemplateConfig.model_validate(facts["config"])
        return TemplateEstimator(config=config, bands=bands, model=model, training=None), columns
    except ModelError:
        raise
    except (KeyError, TypeError, ValueError, UsageError) as error:
        raise ModelError(f"{where}: the templates of the model cannot be used: {error}") from None
