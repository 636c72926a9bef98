"""Metrics of a model on objects with known redshifts that are in memory."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pzcenter.errors import EmptyTableError
from pzcenter.estimators.model_card import CardMetric
from pzcenter.science.photometry import flux_to_mag
from pzcenter.validation import PdfChunk, collect_sample, evaluate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from pzcenter.estimators import Estimator
    from pzcenter.schema import Photometry
    from pzcenter.validation import MetricTable, ValidationSample

__all__ = ["CARD_METRICS", "MAG_BAND", "card_metrics", "has_estimate", "measure_model"]

MAG_BAND = "i"
"""Band in which results are binned; the model's reddest but one where it lacks it."""
CARD_METRICS = {
    "bias": "z_best",
    "sigma_nmad": "z_best",
    "outlier_fraction": "z_best",
    "outlier_fraction_3sigma": "z_best",
    "cde_loss": "pdf",
    "crps": "pdf",
    "log_score": "pdf",
    "pit_ks": "pdf",
    "pit_outlier_rate": "pdf",
    "coverage_68": "pdf",
    "coverage_95": "pdf",
}
"""Metrics of a card and of a comparison of models, and what each is made from."""
_BLOCK = 8192
_N_BOOTSTRAP = 100


def measure_model(
    model: Estimator, photometry: Photometry, z_spec: NDArray[Any], *, n_bootstrap: int = _N_BOOTSTRAP
) -> tuple[ValidationSample, MetricTable]:
    """Estimate objects and hold the results against their redshifts.

    Parameters
    ----------
    model : Estimator
    photometry : Photometry
        Objects that the model was not trained on.
    z_spec : ndarray, (n_obj,)
    n_bootstrap : int

    Returns
    -------
    ValidationSample
    MetricTable
        With bootstrap errors.

    Raises
    ------
    EmptyTableError
        No object has an estimate.
    BandError
        The photometry lacks bands of the model.
    """
    if photometry.n_obj == 0:
        raise EmptyTableError("there are no objects to measure the model on")
    band = _mag_band(photometry.bands)
    sample = collect_sample(_chunks(model, photometry, np.asarray(z_spec, dtype=np.float64), band), mag_band=band)
    if sample.mag is not None and not np.isfinite(sample.mag).any():
        sample = replace(sample, mag=None)
    return sample, evaluate(sample, n_bootstrap=n_bootstrap)


def has_estimate(model: Estimator, photometry: Photometry) -> NDArray[np.bool_]:
    """Whether the model gives each object a p(z), (n_obj,)."""
    found = [
        np.isfinite(model.estimate(photometry.select(slice(start, start + _BLOCK))).pdf).all(axis=1)
        for start in range(0, photometry.n_obj, _BLOCK)
    ]
    return np.concatenate(found) if found else np.empty(0, dtype=bool)


def card_metrics(table: MetricTable) -> tuple[CardMetric, ...]:
    """The metrics of a card, of the whole sample."""
    rows = [table.row(metric, point=point) for metric, point in CARD_METRICS.items()]
    return tuple(
        CardMetric(
            metric=row.metric,
            of=row.point,
            value=row.value if np.isfinite(row.value) else None,
            error=row.error if np.isfinite(row.error) else None,
            n_obj=row.n_obj,
        )
        for row in rows
    )


def _mag_band(bands: tuple[str, ...]) -> str:
    return MAG_BAND if MAG_BAND in bands else bands[max(len(bands) - 2, 0)]


def _chunks(model: Estimator, photometry: Photometry, z_spec: NDArray[np.float64], band: str) -> Iterator[PdfChunk]:
    column = photometry.bands.index(band)
    for start in range(0, photometry.n_obj, _BLOCK):
        rows = slice(start, start + _BLOCK)
        part = photometry.select(rows)
        flux = np.asarray(part.flux[:, column], dtype=np.float64)
        mag = np.asarray(flux_to_mag(np.where(flux > 0, flux, np.nan)))
        yield PdfChunk.from_pz(model.estimate(part), z_spec[rows], object_id=part.object_id, mag=mag)
