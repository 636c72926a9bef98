"""Cards of models that are trained here: files with checksums, domain, metrics on held-out objects, the command."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from pzcenter.catalogs import open_catalog
from pzcenter.catalogs.provenance import describe_file, provenance_record
from pzcenter.errors import ConfigError, PZCenterError
from pzcenter.estimators import model_digest
from pzcenter.estimators.model_card import ModelCard, TrainingMessage, TrainingSource, training_domain, write_card
from pzcenter.training.row_hash import uniforms

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from pzcenter.estimators.model_card import CardMetric
    from pzcenter.schema import Photometry

__all__ = ["MessageRecorder", "held_out_rows", "save_card", "training_source"]

_HOLD_OUT_STREAM = 7
_MAX_MESSAGES = 200
_MAX_WORDS = 500
_PACKAGES = (
    "pzcenter", "numpy", "scipy", "numba", "pyarrow", "safetensors", "scikit-learn", "lightgbm", "xgboost", "jax",
    "jaxlib", "optax", "pz-rail-base", "qp-prob",
)  # fmt: skip
"""Packages that decide about the numbers of a model."""


class MessageRecorder:
    """Keep what a method tells while it is trained, and pass it on.

    Parameters
    ----------
    tell : callable, optional
        Called with the fraction done and words.
    """

    def __init__(self, tell: Callable[[float, str], None] | None = None) -> None:
        self._tell = tell
        self._start = time.monotonic()
        self._kept: list[TrainingMessage] = []

    def __call__(self, done: float, text: str) -> None:
        """Take in one message."""
        if not self._kept or self._kept[-1].text != text[:_MAX_WORDS]:
            seconds = round(time.monotonic() - self._start, 3)
            self._kept.append(TrainingMessage(seconds=seconds, done=float(done), text=text[:_MAX_WORDS]))
        if self._tell is not None:
            self._tell(done, text)

    @property
    def messages(self) -> tuple[TrainingMessage, ...]:
        """At most 200 of them, evenly chosen, those with numbers of the training first."""
        if len(self._kept) <= _MAX_MESSAGES:
            return tuple(self._kept)
        telling = [message for message in self._kept if "." in message.text]
        chosen = telling if 2 <= len(telling) <= _MAX_MESSAGES else self._kept
        places = np.unique(np.linspace(0, len(chosen) - 1, _MAX_MESSAGES).astype(int))
        return tuple(chosen[place] for place in places)


def held_out_rows(object_id: NDArray[np.int64], share: float) -> NDArray[np.bool_]:
    """Choose objects to be kept out of a training, by their ids alone.

    Parameters
    ----------
    object_id : ndarray of int64, (n_obj,)
    share : float
        From 0 to below 1.

    Returns
    -------
    ndarray of bool, (n_obj,)

    Raises
    ------
    ConfigError
        A share that is none.
    """
    if not 0.0 <= share < 1.0:
        raise ConfigError(f"the share of objects to hold out must be from 0 to below 1; got {share:g}")
    if share == 0.0:
        return np.zeros(object_id.shape, dtype=bool)
    return np.asarray(uniforms(object_id.astype(np.uint64), 0, stream=_HOLD_OUT_STREAM) < share)


def training_source(path: str | os.PathLike[str], role: str) -> TrainingSource:
    """What a card says of a file; rows are counted where the reader knows them without reading."""
    facts = describe_file(path)
    n_rows = facts.get("n_rows")
    if n_rows is None:
        try:
            n_rows = open_catalog(path).n_rows
        except PZCenterError:
            n_rows = None
    return TrainingSource(
        path=facts["path"],
        role=role,
        sha256=facts["sha256"],
        sha256_of=facts.get("sha256_of"),
        n_bytes=facts["n_bytes"],
        n_rows=n_rows,
    )


def save_card(
    directory: Path,
    *,
    started: datetime,
    sources: Sequence[TrainingSource],
    photometry: Photometry,
    z_spec: NDArray[np.float64],
    filters: Mapping[str, str] | None = None,
    mapping: str | None = None,
    n_with_redshift: int | None = None,
    n_held_out: int = 0,
    metrics: Sequence[CardMetric] = (),
    metrics_on: str | None = None,
    messages: Sequence[TrainingMessage] = (),
    licence: str | None = None,
    citation: str | None = None,
    notes: Sequence[str] = (),
    command: Sequence[str] | None = None,
) -> ModelCard:
    """Write the card of a model that was just trained.

    Parameters
    ----------
    directory : Path
        Of the model.
    started : datetime
        Of the training, with time zone.
    sources : sequence of TrainingSource
    photometry : Photometry
        Objects that it was trained on.
    z_spec : ndarray of float64, (n_obj,)
    filters, mapping, n_with_redshift, n_held_out, metrics, metrics_on, messages, licence, citation, notes
        See :class:`pzcenter.estimators.model_card.ModelCard`.
    command : sequence of str, optional
        Command line; that of this process by default.

    Returns
    -------
    ModelCard

    Raises
    ------
    StorageError, ModelError
        It could not be written.
    """
    record = provenance_record("train", started=started, command=command)
    card = ModelCard(
        digest=model_digest(directory),
        trained_at=record["finished"],
        wall_s=round((datetime.now(UTC) - started).total_seconds(), 3),
        command=tuple(record["command"]),
        sources=tuple(sources),
        mapping=mapping,
        n_with_redshift=n_with_redshift,
        n_used=photometry.n_obj,
        n_held_out=n_held_out,
        domain=training_domain(photometry, z_spec, filters=dict(filters or {})),
        metrics=tuple(metrics),
        metrics_on=metrics_on,
        messages=tuple(messages),
        licence=licence,
        citation=citation,
        notes=tuple(notes),
        python=record["python"],
        system=record["system"],
        packages=_deciding(record["packages"]),
    )
    write_card(directory, card)
    return card


def _deciding(packages: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(packages[name]) for name in _PACKAGES if packages.get(name) is not None}
