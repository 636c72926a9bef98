"""From a catalogue with known redshifts to a saved model."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from pzcenter.catalogs import is_skinny, make_skinny, open_catalog, photometry_of
from pzcenter.catalogs.photometry import bands_of
from pzcenter.errors import EmptyTableError
from pzcenter.estimators import get_estimator
from pzcenter.estimators.protocol import checked_config
from pzcenter.pipelines.model_cards import MessageRecorder, held_out_rows, save_card, training_source
from pzcenter.pipelines.prepare import survey_settings
from pzcenter.pipelines.truth import read_redshifts
from pzcenter.schema import load_mapping, mapping_names

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from pzcenter.estimators import Estimator
    from pzcenter.estimators.model_card import CardMetric, ModelCard
    from pzcenter.schema import Photometry

__all__ = ["TrainReport", "read_test_set", "read_training_set", "train_model"]

_MAPPING_KEY = b"pz.mapping"


@dataclass(frozen=True)
class TrainReport:
    """What was trained on what.

    Parameters
    ----------
    model : Path
        Directory of the model.
    estimator : Estimator
        The model itself.
    object_id : ndarray of int64, (n_train,)
        Objects it was trained on, for keeping them out of a test.
    wall_s : float
    card : ModelCard
        As it lies beside the model.
    """

    model: Path
    estimator: Estimator
    object_id: NDArray[np.int64]
    wall_s: float
    card: ModelCard


def train_model(
    source: str | os.PathLike[str],
    destination: str | os.PathLike[str],
    method: str,
    *,
    redshifts: str | os.PathLike[str] | None = None,
    mapping: str | None = None,
    config: Mapping[str, Any] | None = None,
    z_grid: NDArray[np.float64] | None = None,
    n_max: int = 1_000_000,
    hold_out: float = 0.0,
    test: str | os.PathLike[str] | None = None,
    licence: str | None = None,
    citation: str | None = None,
    command: Sequence[str] | None = None,
    work: str | os.PathLike[str] | None = None,
    progress: Callable[[float, str], None] | None = None,
) -> TrainReport:
    """Train a method and save the model with its card.

    Parameters
    ----------
    source : path
        Catalogue or skinny table.
    destination : path
        Directory to make.
    method : str
        Name of an estimator.
    redshifts : path, optional
        Table of object ids and redshifts; by default those in the catalogue itself.
    mapping : str, optional
        Of the catalogue's columns; detected by default.
    config : mapping, optional
        Settings of the method.
    z_grid : ndarray, optional
        Of the densities.
    n_max : int
        Most objects to train on; a random choice of them, the same for the same ids.
    hold_out : float
        Share of the objects, chosen by their ids, that are kept out of the training and on which the metrics of the
        card are measured.
    test : path, optional
        Catalogue or skinny table with redshifts of its own, on which the metrics of the card are measured instead.
    licence, citation : str, optional
        Of the training data, for the card.
    command : sequence of str, optional
        For the card; the command line of this process by default.
    work : path, optional
        Place for the skinny table of a catalogue that is none; a temporary one by default.
    progress : callable, optional
        Called with the fraction done and what is being done.

    Returns
    -------
    TrainReport

    Raises
    ------
    EmptyTableError
        No object has a redshift.
    UsageError
        What the readers and the method refuse.
    """
    begin = datetime.now(UTC)
    tell = progress or (lambda _fraction, _text: None)
    recorder = MessageRecorder(lambda done, text: tell(0.2 + 0.7 * done, text))
    estimator = get_estimator(method)
    config = survey_settings(source, method, config, mapping=mapping)
    with tempfile.TemporaryDirectory(prefix="pz-train-", dir=work) as folder:
        skinny = _skinny_of(source, Path(folder) / "skinny", mapping, lambda done, text: tell(0.2 * done, text))
        photometry, z_spec = read_training_set(skinny, redshifts=redshifts, n_max=n_max, named=source)
        mapping_name = (open_catalog(skinny).schema.metadata or {}).get(_MAPPING_KEY, b"").decode() or None
    assert photometry.object_id is not None
    kept_out = held_out_rows(photometry.object_id, 0.0 if test is not None else hold_out)
    trained, z_trained = photometry.select(~kept_out), z_spec[~kept_out]
    model = estimator.train(
        trained, z_trained, config=checked_config(estimator.Config, config), z_grid=z_grid, progress=recorder
    )
    model.save(Path(destination))
    measured = _Measured()
    if test is not None:
        tell(0.92, "measuring on the test table")
        measured = _measure_on_table(model, test, mapping, trained, work)
    elif kept_out.any():
        tell(0.92, "measuring on held-out objects")
        words = f"{int(kept_out.sum()):,} objects of the training file that were held out, chosen by their ids"
        measured = _measure(model, photometry.select(kept_out), z_spec[kept_out], words)
    sources = [training_source(source, "photometry")]
    sources += [] if redshifts is None else [training_source(redshifts, "redshifts")]
    sources += [] if test is None else [training_source(test, "test")]
    assert trained.object_id is not None
    card = save_card(
        Path(destination),
        started=begin,
        sources=sources,
        photometry=trained,
        z_spec=z_trained,
        filters=_filters_of(mapping_name),
        mapping=mapping_name,
        n_with_redshift=photometry.n_obj,
        n_held_out=int(kept_out.sum()),
        metrics=measured.metrics,
        metrics_on=measured.words,
        notes=measured.notes,
        messages=recorder.messages,
        licence=licence,
        citation=citation,
        command=command,
    )
    tell(1.0, "trained")
    wall_s = (datetime.now(UTC) - begin).total_seconds()
    return TrainReport(Path(destination), model, trained.object_id, wall_s, card)


@dataclass(frozen=True)
class _Measured:
    """Metrics for a card, and what they were measured on."""

    metrics: tuple[CardMetric, ...] = ()
    words: str | None = None
    notes: tuple[str, ...] = ()


def _measure(model: Estimator, photometry: Photometry, z_spec: NDArray[np.float64], words: str) -> _Measured:
    from pzcenter.pipelines.model_metrics import card_metrics, measure_model

    try:
        sample, table = measure_model(model, photometry, z_spec)
    except EmptyTableError as error:
        return _Measured(notes=(f"no metrics: {error}",))
    notes = (f"{sample.n_no_estimate:,} test objects have no estimate",) if sample.n_no_estimate else ()
    return _Measured(card_metrics(table), words, notes)


def _measure_on_table(
    model: Estimator,
    test: str | os.PathLike[str],
    mapping: str | None,
    trained: Photometry,
    work: str | os.PathLike[str] | None,
) -> _Measured:
    photometry, z_spec = read_test_set(test, mapping=mapping, bands=model.bands, work=work)
    assert photometry.object_id is not None and trained.object_id is not None
    doubled = np.isin(photometry.object_id, trained.object_id)
    notes: tuple[str, ...] = ()
    if doubled.any():
        notes = (f"{int(doubled.sum()):,} objects of the test table have ids of training objects and were left out",)
    kept = np.flatnonzero(~doubled)
    measured = _measure(model, photometry.select(kept), z_spec[kept], f"{kept.size:,} objects of {Path(test).name}")
    return _Measured(measured.metrics, measured.words, (*notes, *measured.notes))


def read_test_set(
    source: str | os.PathLike[str],
    *,
    redshifts: str | os.PathLike[str] | None = None,
    mapping: str | None = None,
    bands: Sequence[str] | None = None,
    n_max: int = 1_000_000,
    work: str | os.PathLike[str] | None = None,
) -> tuple[Photometry, NDArray[np.float64]]:
    """Photometry and redshifts of the objects of any catalogue that have one.

    Parameters
    ----------
    source : path
        Catalogue or skinny table.
    redshifts, mapping, n_max, work
        As in :func:`train_model`.
    bands : sequence of str, optional
        All by default.

    Returns
    -------
    photometry : Photometry
    z_spec : ndarray, (n_obj,)

    Raises
    ------
    EmptyTableError
        No object has a redshift.
    UsageError
        What the readers refuse.
    """
    with tempfile.TemporaryDirectory(prefix="pz-test-", dir=work) as folder:
        skinny = _skinny_of(source, Path(folder) / "skinny", mapping)
        return read_training_set(skinny, redshifts=redshifts, bands=bands, n_max=n_max, named=source)


def _skinny_of(
    source: str | os.PathLike[str],
    place: Path,
    mapping: str | None,
    tell: Callable[[float, str], None] | None = None,
) -> Path:
    if is_skinny(Path(source)):
        return Path(source)
    make_skinny(source, place, mapping, cuts=(), progress=tell or (lambda _done, _text: None))
    return place


def _filters_of(mapping: str | None) -> dict[str, str]:
    """Filters of the bands, where a mapping of this package names them."""
    if mapping is None or mapping not in mapping_names():
        return {}
    return dict(load_mapping(mapping).filter_of_band or {})


def read_training_set(
    skinny: str | os.PathLike[str],
    *,
    redshifts: str | os.PathLike[str] | None = None,
    bands: Sequence[str] | None = None,
    n_max: int = 1_000_000,
    named: str | os.PathLike[str] | None = None,
) -> tuple[Photometry, NDArray[np.float64]]:
    """Photometry and redshifts of the objects of a skinny table that have one.

    Parameters
    ----------
    skinny : path
    redshifts : path, optional
        As in :func:`train_model`.
    bands : sequence of str, optional
        All of the table by default.
    n_max : int
    named : path, optional
        What messages call the table, where it was made of another one.

    Returns
    -------
    photometry : Photometry
    z_spec : ndarray, (n_obj,)

    Raises
    ------
    EmptyTableError
        No object has a redshift.
    """
    catalog = open_catalog(skinny)
    known = None if redshifts is None else read_redshifts(redshifts)
    wanted = tuple(bands) if bands is not None else bands_of(catalog.schema)
    columns = ["objectId", *(f"flux{kind}_{band}" for band in wanted for kind in ("", "_err")), "flags"]
    if known is None:
        if "z_spec" not in catalog.column_names:
            raise EmptyTableError(f"{named or skinny} has no known redshifts; give a table of them (--redshifts)")
        columns.append("z_spec")
    kept, z_kept = [], []
    for batch in catalog.batches(columns):
        ids = batch.column("objectId").to_numpy()
        z = batch.column("z_spec").to_numpy(zero_copy_only=False) if known is None else known.of(ids)
        rows = np.flatnonzero(np.isfinite(z))
        if rows.size:
            kept.append(batch.take(pa.array(rows)))
            z_kept.append(z[rows])
    if not kept:
        ids = catalog.read(["objectId"]).column("objectId").to_pylist()[:2]
        of = "itself" if known is None else f"{redshifts}, whose ids are such as {known.object_id[:2].tolist()}"
        raise EmptyTableError(f"no object of {named or skinny} (ids such as {ids}) has a known redshift in {of}")
    table, z_spec = pa.Table.from_batches(kept), np.concatenate(z_kept)
    table = table.replace_schema_metadata(catalog.schema.metadata)
    if z_spec.size > n_max:
        rows = np.sort(np.random.default_rng(0).permutation(z_spec.size)[:n_max])
        table, z_spec = table.take(pa.array(rows)), z_spec[rows]
    return photometry_of(table, wanted), z_spec
