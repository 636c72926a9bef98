"""The card of a model: what a person must know before using it, kept in ``card.json`` beside the numbers.

The manifest holds what the method needs, and its digest is the identity of the model. The card holds what surrounds
it: training file, domain, metrics, the course of the training, licence. It names the digest of its model, so that it
cannot lie beside another one. A model without a card is a model; everything of the card is then "not recorded".
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pzcenter.errors import ModelError, OutputExistsError, StorageError
from pzcenter.estimators.storage import CARD_FILE, MAX_MANIFEST_BYTES, model_digest, read_plain_file
from pzcenter.science.photometry import flux_to_mag

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pzcenter.schema import Photometry

__all__ = [
    "CARD_VERSION",
    "BandDomain",
    "CardMetric",
    "Domain",
    "ModelCard",
    "TrainingMessage",
    "TrainingSource",
    "read_card",
    "training_domain",
    "write_card",
]

CARD_VERSION = 1
"""One more when an older program could not read the card."""

_FORMAT = "pzcenter-model-card"
_DEPTH_SIGMA = 5.0
_PERCENTILES = (1.0, 50.0, 99.0)
_Z_STEP = 0.05
"""Cells of the histogram of training redshifts."""
_MAX_TEXT = 10_000
_MAX_MESSAGES = 400
_MAX_METRICS = 200

Text = Annotated[str, Field(max_length=_MAX_TEXT)]


class _Plain(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class TrainingSource(_Plain):
    """One file that the training read."""

    path: Text
    role: Text = Field(description="photometry, redshifts, test")
    sha256: str | None = Field(default=None, pattern="^[0-9a-f]{64}$")
    sha256_of: Text | None = None
    n_bytes: int | None = Field(default=None, ge=0)
    n_rows: int | None = Field(default=None, ge=0)


class BandDomain(_Plain):
    """Magnitudes of the training objects in one band."""

    band: Text
    filter: Text | None = None
    mag_min: float | None = Field(default=None, description="1 % percentile, AB")
    mag_median: float | None = None
    mag_max: float | None = Field(default=None, description="99 % percentile, AB")
    depth: float | None = Field(default=None, description="magnitude of five times the median flux error, AB")
    share_measured: float = Field(ge=0, le=1)


class Domain(_Plain):
    """Where a model has seen objects."""

    bands: tuple[BandDomain, ...] = Field(max_length=100)
    z_min: float
    z_max: float
    z_percentiles: tuple[float, float, float] = Field(description="1, 50 and 99 %")
    z_edges: tuple[float, ...] = Field(max_length=2000)
    z_counts: tuple[int, ...] = Field(max_length=2000)


class CardMetric(_Plain):
    """One metric on objects that the training did not see."""

    metric: Text
    of: Text = Field(description="point estimate, or pdf")
    value: float | None
    error: float | None = Field(default=None, description="one standard error, bootstrap or of the mean")
    n_obj: int | None = Field(default=None, ge=0)


class TrainingMessage(_Plain):
    """What the method told while it was trained."""

    seconds: float = Field(ge=0)
    done: float
    text: Annotated[str, Field(max_length=500)]


class ModelCard(_Plain):
    """Content of ``card.json``; None and empty are "not recorded"."""

    format: str = Field(default=_FORMAT, pattern=f"^{_FORMAT}$")
    card_version: int = CARD_VERSION
    digest: str = Field(pattern="^[0-9a-f]{64}$", description="of the model")
    trained_at: Text | None = None
    wall_s: float | None = Field(default=None, ge=0)
    command: tuple[Text, ...] = Field(default=(), max_length=500)
    sources: tuple[TrainingSource, ...] = Field(default=(), max_length=100)
    mapping: Text | None = None
    n_with_redshift: int | None = Field(default=None, ge=0)
    n_used: int | None = Field(default=None, ge=0)
    n_held_out: int | None = Field(default=None, ge=0)
    domain: Domain | None = None
    metrics: tuple[CardMetric, ...] = Field(default=(), max_length=_MAX_METRICS)
    metrics_on: Text | None = Field(default=None, description="on which objects")
    messages: tuple[TrainingMessage, ...] = Field(default=(), max_length=_MAX_MESSAGES)
    licence: Text | None = None
    citation: Text | None = None
    notes: tuple[Text, ...] = Field(default=(), max_length=100)
    python: Text | None = None
    system: Text | None = None
    packages: dict[str, Text] = Field(default={}, max_length=500)


def write_card(directory: Path | str, card: ModelCard) -> Path:
    """Put a card beside the model that it is about.

    Parameters
    ----------
    directory : Path or str
        Of the model.
    card : ModelCard

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ModelError
        The card is of another model.
    OutputExistsError
        There is another card.
    NotFoundError, ChecksumError
        There is no model, or it was changed.
    StorageError
        The disk refused.
    """
    path = Path(directory) / CARD_FILE
    digest = model_digest(directory)
    if card.digest != digest:
        raise ModelError(f"the card is of the model {card.digest[:12]}; {directory} holds {digest[:12]}")
    text = json.dumps(card.model_dump(mode="json"), indent=1, allow_nan=False) + "\n"
    if len(text) > MAX_MANIFEST_BYTES:
        raise ModelError(f"the card has {len(text)} characters; at most {MAX_MANIFEST_BYTES} are accepted")
    if path.exists():
        if path.read_text(encoding="utf-8") == text:
            return path
        raise OutputExistsError(f"{path} is there already; a card is written once")
    part = path.parent.with_name(f".{path.parent.name}.card.part")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise StorageError(f"the card cannot be written to {path}: {error.strerror}") from error
    return path


def read_card(directory: Path | str) -> ModelCard | None:
    """Read the card of a model.

    Parameters
    ----------
    directory : Path or str
        Of the model.

    Returns
    -------
    ModelCard or None
        None where there is none.

    Raises
    ------
    NotFoundError
        There is no model.
    ModelError
        The card is truncated, of another model, or of a newer version.
    ChecksumError
        The manifest was changed.
    """
    path = Path(directory) / CARD_FILE
    digest = model_digest(directory)
    if not path.exists():
        return None
    try:
        plain = json.loads(read_plain_file(path, MAX_MANIFEST_BYTES))
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path} is not readable JSON, perhaps truncated: {error}") from None
    version = plain.get("card_version") if isinstance(plain, dict) else None
    if not isinstance(version, int) or isinstance(version, bool):
        raise ModelError(f"{path} is not the card of a model: card_version must be a whole number; got {version!r}")
    if version > CARD_VERSION:
        raise ModelError(
            f"{path} was written by a newer version (card {version}; this one reads up to {CARD_VERSION}): "
            "update pzcenter"
        )
    try:
        card = ModelCard.model_validate(plain)
    except ValidationError as error:
        first = error.errors()[0]
        raise ModelError(f"{path}: {'.'.join(str(part) for part in first['loc'])}: {first['msg']}") from None
    if card.digest != digest:
        raise ModelError(f"{path} is the card of the model {card.digest[:12]}, not of this one, {digest[:12]}")
    return card


def training_domain(photometry: Photometry, z_spec: NDArray[Any], *, filters: dict[str, str] | None = None) -> Domain:
    """Magnitudes, depths and redshifts of a training set.

    Parameters
    ----------
    photometry : Photometry
    z_spec : ndarray, (n_obj,)
        At least one, finite.
    filters : dict of str to str, optional
        Name of the filter of each band, where known.

    Returns
    -------
    Domain
        Magnitudes are of objects with a positive flux; the depth of a band is five times the median flux error of all
        objects measured in it.
    """
    known = filters or {}
    z = np.asarray(z_spec, dtype=np.float64)
    low, middle, high = (round(float(value), 5) for value in np.percentile(z, _PERCENTILES))
    first = np.floor(z.min() / _Z_STEP)
    last = max(np.ceil(z.max() / _Z_STEP), first + 1)
    edges = np.round(np.arange(first, last + 1) * _Z_STEP, 6)
    return Domain(
        bands=tuple(
            _band_domain(band, photometry.flux[:, column], photometry.flux_err[:, column], known.get(band))
            for column, band in enumerate(photometry.bands)
        ),
        z_min=float(z.min()),
        z_max=float(z.max()),
        z_percentiles=(low, middle, high),
        z_edges=tuple(edges.tolist()),
        z_counts=tuple(np.histogram(z, edges)[0].tolist()),
    )


def _band_domain(band: str, flux: NDArray[Any], flux_err: NDArray[Any], filter_name: str | None) -> BandDomain:
    f, e = np.asarray(flux, dtype=np.float64), np.asarray(flux_err, dtype=np.float64)
    usable = np.isfinite(f) & np.isfinite(e) & (e > 0)
    share = float(np.mean(usable)) if usable.size else 0.0
    positive = usable & (f > 0)
    depth = round(float(flux_to_mag(_DEPTH_SIGMA * np.median(e[usable]))), 4) if usable.any() else None
    if not positive.any():
        return BandDomain(band=band, filter=filter_name, depth=depth, share_measured=share)
    low, middle, high = np.percentile(np.asarray(flux_to_mag(f[positive])), _PERCENTILES)
    return BandDomain(
        band=band,
        filter=filter_name,
        mag_min=round(float(low), 4),
        mag_median=round(float(middle), 4),
        mag_max=round(float(high), 4),
        depth=depth,
        share_measured=round(share, 6),
    )
