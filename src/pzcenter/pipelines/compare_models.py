"""Models side by side: their cards, or their metrics on the same objects."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pzcenter.catalogs.provenance import provenance_record
from pzcenter.errors import BandError, ConfigError, EmptyTableError, PZCenterError
from pzcenter.estimators import load_model
from pzcenter.estimators.fingerprints import count_known, fingerprints
from pzcenter.estimators.model_description import ModelDescription, describe_model
from pzcenter.estimators.storage import read_model
from pzcenter.pipelines.model_metrics import card_metrics, has_estimate, measure_model
from pzcenter.pipelines.train import read_test_set
from pzcenter.pipelines.truth import read_redshifts

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from pzcenter.estimators import Estimator
    from pzcenter.estimators.model_card import CardMetric
    from pzcenter.schema import Photometry
    from pzcenter.validation import MetricTable, ValidationSample

__all__ = ["ComparedModel", "ModelComparison", "compare_models"]

MAX_MODELS = 30
_OF_CARDS = (
    "Metrics are those that were recorded with each model, on objects of its own: they are not comparable unless these "
    "are the same. Give a table (--on) to measure all models on the same objects."
)


@dataclass(frozen=True, eq=False)
class ComparedModel:
    """One model of a comparison.

    Parameters
    ----------
    label : str
        Unique among the models.
    description : ModelDescription
    metrics : tuple of CardMetric
        On the common objects, or those of the card where no table was given.
    sample : ValidationSample or None
    table : MetricTable or None
        None where no table was given, or where the model failed.
    failure : str
        Why the model has no metrics here.
    n_no_estimate : int
        Objects of the table without an estimate of this model.
    n_seen : int or None
        Objects of the table whose photometry was in the training; None where the model does not remember.
    """

    label: str
    description: ModelDescription
    metrics: tuple[CardMetric, ...] = ()
    sample: ValidationSample | None = None
    table: MetricTable | None = None
    failure: str = ""
    n_no_estimate: int = 0
    n_seen: int | None = None


@dataclass(frozen=True, eq=False)
class ModelComparison:
    """Models side by side.

    Parameters
    ----------
    models : tuple of ComparedModel
        In the order given.
    on : str or None
        Name of the table; None where the metrics are those of the cards.
    n_obj : int
        Common objects.
    notes : tuple of str
        What a reader must know.
    record : dict
        Provenance.
    """

    models: tuple[ComparedModel, ...]
    on: str | None
    n_obj: int
    notes: tuple[str, ...]
    record: dict[str, Any] = field(default_factory=dict)

    def plain(self) -> dict[str, Any]:
        """Everything as plain values."""
        return {
            "on": self.on,
            "n_obj": self.n_obj,
            "notes": list(self.notes),
            "models": [
                {
                    "label": model.label,
                    "method": model.description.manifest.estimator,
                    "digest": model.description.manifest.digest,
                    "metrics": {row.metric: row.model_dump(exclude={"metric"}) for row in model.metrics},
                    "metrics_on": self.on or model.description.metrics_on,
                    "n_no_estimate": model.n_no_estimate,
                    "n_seen_in_training": model.n_seen,
                    "failure": model.failure or None,
                }
                for model in self.models
            ],
            "provenance": self.record,
        }


def compare_models(
    models: Sequence[str | os.PathLike[str]],
    *,
    on: str | os.PathLike[str] | None = None,
    redshifts: str | os.PathLike[str] | None = None,
    trained_on: str | os.PathLike[str] | None = None,
    mapping: str | None = None,
    n_max: int = 200_000,
    n_bootstrap: int = 100,
    work: str | os.PathLike[str] | None = None,
    progress: Callable[[float, str], None] | None = None,
) -> ModelComparison:
    """Hold models against each other, on the same objects where a table is given.

    Parameters
    ----------
    models : sequence of path
        Directories, at most 30; one is accepted.
    on : path, optional
        Catalogue or skinny table with known redshifts. Without it the metrics are those of the cards, which each
        model has on objects of its own.
    redshifts : path, optional
        Object ids and redshifts, where ``on`` has none.
    trained_on : path, optional
        Redshift table of a training: its objects are left out.
    mapping : str, optional
        Of the columns of ``on``; detected by default.
    n_max : int
        Most objects; a random choice, told in the notes.
    n_bootstrap : int
    work : path, optional
        For the skinny table of a catalogue; a temporary place by default.
    progress : callable, optional
        Called with the fraction done and words.

    Returns
    -------
    ModelComparison
        Metrics of the objects for which all models that could be used have an estimate.

    Raises
    ------
    ConfigError
        No model, or too many.
    NotFoundError, ModelError, ChecksumError
        A directory is not a model, of a newer version, or truncated.
    EmptyTableError
        No object of the table has a redshift, or none is left.
    """
    if not 1 <= len(models) <= MAX_MODELS:
        raise ConfigError(f"give 1 to {MAX_MODELS} models; got {len(models)}")
    started = datetime.now(UTC)
    described = [describe_model(Path(path)) for path in models]
    labels = _labels(described)
    if on is None:
        told = tuple(
            ComparedModel(label, each, metrics=each.metrics) for label, each in zip(labels, described, strict=True)
        )
        return ModelComparison(told, None, 0, (_OF_CARDS,))
    tell = progress or (lambda _done, _text: None)
    tell(0.0, "reading the table")
    photometry, z_spec, notes = _test_objects(on, redshifts, trained_on, mapping=mapping, n_max=n_max, work=work)
    loaded = [_loaded(path, photometry) for path in models]
    usable = np.ones(photometry.n_obj, dtype=bool)
    missing = []
    for place, (model, _) in enumerate(loaded):
        tell(0.1 + 0.3 * place / len(loaded), f"which objects {labels[place]} can do")
        has = usable if model is None else has_estimate(model, photometry)
        missing.append(0 if model is None else int(np.count_nonzero(~has)))
        usable = usable & has
    if not usable.any():
        raise EmptyTableError(f"none of the {photometry.n_obj:,} objects of {on} has an estimate of every model")
    rows = np.flatnonzero(usable)
    if rows.size < photometry.n_obj:
        notes.append(f"{photometry.n_obj - rows.size:,} objects lack an estimate of some model and were left out")
    common, z_common = photometry.select(rows), z_spec[rows]
    compared = []
    for place, (model, failure) in enumerate(loaded):
        tell(0.4 + 0.6 * place / len(loaded), f"measuring {labels[place]}")
        if model is None:
            compared.append(ComparedModel(labels[place], described[place], failure=failure))
            continue
        sample, table = measure_model(model, common, z_common, n_bootstrap=n_bootstrap)
        seen = _n_seen(Path(models[place]), model, common)
        compared.append(
            ComparedModel(labels[place], described[place], card_metrics(table), sample, table, "", missing[place], seen)
        )
        if seen:
            notes.append(f"{seen:,} of the objects were in the training of {labels[place]}: its metrics look too good")
    tell(1.0, "compared")
    record = provenance_record(
        "model compare",
        started=started,
        inputs=[on, *(path for path in (redshifts, trained_on) if path is not None)],
        configuration={"n_max": n_max, "n_bootstrap": n_bootstrap},
        counts={"objects": int(rows.size)},
    )
    return ModelComparison(tuple(compared), Path(on).name, int(rows.size), tuple(notes), record)


def _labels(described: Sequence[ModelDescription]) -> list[str]:
    """Names of the directories, with a number where they are the same."""
    labels: list[str] = []
    for each in described:
        label, number = each.name, 1
        while label in labels:
            number += 1
            label = f"{each.name} ({number})"
        labels.append(label)
    return labels


def _test_objects(
    on: str | os.PathLike[str],
    redshifts: str | os.PathLike[str] | None,
    trained_on: str | os.PathLike[str] | None,
    *,
    mapping: str | None,
    n_max: int,
    work: str | os.PathLike[str] | None,
) -> tuple[Photometry, NDArray[np.float64], list[str]]:
    photometry, z_spec = read_test_set(on, redshifts=redshifts, mapping=mapping, n_max=10**9, work=work)
    notes: list[str] = []
    assert photometry.object_id is not None
    kept = np.ones(photometry.n_obj, dtype=bool)
    if trained_on is not None:
        kept = ~np.isin(photometry.object_id, read_redshifts(trained_on).object_id)
        if not kept.any():
            raise EmptyTableError(f"all {kept.size:,} objects of {on} with redshifts are in {trained_on}")
        notes.append(f"{int((~kept).sum()):,} objects of the table are in the training table and were left out")
    rows = np.flatnonzero(kept)
    if rows.size > n_max:
        notes.append(f"{n_max:,} of {rows.size:,} objects were chosen at random")
        rows = np.sort(np.random.default_rng(0).permutation(rows)[:n_max])
    return photometry.select(rows), z_spec[rows], notes


def _loaded(path: str | os.PathLike[str], photometry: Photometry) -> tuple[Estimator | None, str]:
    """A model that can be used on these objects, or why not."""
    try:
        model = load_model(Path(path))
        lacking = [band for band in model.bands if band not in photometry.bands]
        if lacking:
            raise BandError(f"the table lacks the bands {lacking}; it has {list(photometry.bands)}")
    except PZCenterError as error:
        return None, str(error)
    return model, ""


def _n_seen(path: Path, model: Estimator, photometry: Photometry) -> int | None:
    """Objects whose photometry a model remembers from its training."""
    known = read_model(path, estimator=model.name).arrays.get("fingerprints")
    if known is None or known.dtype != np.uint64:
        return None
    ordered = photometry.with_bands(model.bands)
    flux, flux_err = (np.asarray(values, dtype=np.float32) for values in (ordered.flux, ordered.flux_err))
    bad = ~(np.isfinite(flux) & np.isfinite(flux_err) & (flux_err > 0))
    flux, flux_err = (np.where(bad, np.float32(math.nan), values) for values in (flux, flux_err))
    return count_known(fingerprints(flux, flux_err), known)
