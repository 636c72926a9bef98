"""Estimate n(z) of a PZ table: read it in one or two passes, and write the product with its page."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pyarrow as pa

from pzcenter.catalogs.provenance import provenance_record
from pzcenter.errors import ConfigError, EmptyTableError
from pzcenter.estimators.model_card import read_card
from pzcenter.estimators.storage import MANIFEST_FILE, parse_manifest
from pzcenter.pipelines.nz.bins import equal_bins, parse_bins
from pzcenter.pipelines.nz.cells import reweight_on_cells
from pzcenter.pipelines.nz.objects import RunObjects
from pzcenter.pipelines.nz.product import NzProduct, prepare_directory, write_nz
from pzcenter.pipelines.train import read_test_set
from pzcenter.science.nz import (
    NzEstimate,
    SampleBins,
    StackSums,
    histogram_edges,
    implicit_prior,
    infer_nz,
    mass_operators,
    stacked_nz,
)
from pzcenter.training.row_hash import mix

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Progress = Callable[[float, str], None]

__all__ = ["METHODS", "NzSettings", "estimate_nz"]

METHODS = {
    "stack": "Mean p(z) of the objects of each bin: it keeps the prior that is in the p(z) and every width that is too "
    "large; the errors are those of another draw of objects, and hold nothing of that bias.",
    "som": "Known redshifts, weighted so that they fill the cells of a map of colours and magnitude as the target "
    "does; objects in cells without known redshifts are not represented.",
    "hierarchical": "Posterior of the distribution of true redshifts, with the prior that is in the p(z) taken out; "
    "right where the p(z) are calibrated and their prior is known.",
}
"""The methods, and what each gives."""

_SKY_ORDER = 6
_MIN_SKY_GROUPS = 20


@dataclass(frozen=True)
class NzSettings:
    """How n(z) is estimated.

    Parameters
    ----------
    method : str
        One of ``METHODS``.
    bins : str
        See :func:`pzcenter.pipelines.nz.parse_bins`.
    point : str
        Point estimate by which objects are put into bins.
    step : float
        Width of the cells of the histograms.
    exclude : tuple of str
        Names of flags: objects with any of them are left out.
    n_sample : int
        Resamples or draws.
    n_max : int
        ``hierarchical``: most objects that take part, chosen by their ids; their number is told.
    groups : str
        ``stack``: resample ``random`` groups of objects, or cells of the ``sky`` of 0.8 square degrees, whose scatter
        holds that of the large-scale structure.
    n_group : int
        ``stack``: number of random groups.
    prior : str
        ``hierarchical``: the prior in the p(z): ``model``, as its card has it; ``training``, the redshifts of the
        training table; ``flat``.
    alpha : float
        ``hierarchical``: of the Dirichlet prior of n(z).
    n_iter : int
        ``hierarchical``: steps of each chain.
    bands : tuple of str or None
        ``som``: of the map; those in common by default.
    shape : tuple of int or None
        ``som``: rows and columns of the map.
    use_bins : bool
        ``som``: put the objects of known redshift into bins too, with the run's model.
    seed : int
    """

    method: str = "stack"
    bins: str = "equal:5"
    point: str = "z_best"
    step: float = 0.05
    exclude: tuple[str, ...] = ()
    n_sample: int = 200
    n_max: int = 50_000
    groups: Literal["random", "sky"] = "random"
    n_group: int = 256
    prior: Literal["model", "training", "flat"] = "model"
    alpha: float = 1.0
    n_iter: int = 3000
    bands: tuple[str, ...] | None = None
    shape: tuple[int, int] | None = None
    use_bins: bool = True
    seed: int = 0


@dataclass(frozen=True, eq=False)
class _Found:
    """What a method gives."""

    estimate: NzEstimate
    diagnostics: dict[str, Any]
    notes: list[str]
    counts: dict[str, int]
    share_without: NDArray[np.float64] | None = None
    cells: pa.Table | None = None


def estimate_nz(
    run: str | os.PathLike[str],
    directory: str | os.PathLike[str],
    settings: NzSettings | None = None,
    *,
    training: str | os.PathLike[str] | None = None,
    redshifts: str | os.PathLike[str] | None = None,
    mapping: str | None = None,
    page: bool = True,
    overwrite: bool = False,
    command: Sequence[str] | None = None,
    progress: Progress | None = None,
) -> NzProduct:
    """Estimate n(z) of the tomographic bins of a PZ table, and write it.

    Parameters
    ----------
    run : path
        Directory of a finished ``pz estimate``.
    directory : path
        To be made.
    settings : NzSettings, optional
    training : path, optional
        Catalogue or skinny table of objects with known redshifts, with fluxes of the same kind as the run's: needed
        by ``som``, and by ``hierarchical`` where its prior is ``training``.
    redshifts : path, optional
        Object ids and redshifts, where ``training`` has none.
    mapping : str, optional
        Of the columns of ``training``.
    page : bool
        Write ``nz.html`` too.
    overwrite : bool
        Replace an earlier product.
    command : sequence of str, optional
        For the provenance; this process's by default.
    progress : callable, optional
        Called with the fraction done and words.

    Returns
    -------
    NzProduct

    Raises
    ------
    NotFoundError
        ``run`` is not a finished run, or its fluxes are gone.
    ConfigError
        Settings that make no sense, bins that overlap, a training table that is missing.
    EmptyTableError
        No object is in any bin.
    OutputExistsError
        The directory holds something.
    """
    started = datetime.now(UTC)
    wanted = settings or NzSettings()
    _check(wanted, training)
    asked = parse_bins(wanted.bins)
    _check_cells(asked, wanted.step)
    if wanted.method == "hierarchical" and wanted.prior not in {"flat", "training"}:
        _refuse_templates(Path(run) / "model")
    root = prepare_directory(directory, overwrite=overwrite)
    tell = progress or (lambda _done, _text: None)
    objects = RunObjects.open(run, point=wanted.point, exclude=wanted.exclude)
    z_grid = objects.z_grid
    edges = histogram_edges(float(z_grid[0]), float(z_grid[-1]), wanted.step)
    tell(0.0, "reading the table")
    bins = asked if isinstance(asked, SampleBins) else equal_bins((each.point for each in objects.blocks()), asked)
    notes = []
    if not isinstance(asked, SampleBins) and bins.n_bin < asked:
        notes.append(f"{bins.n_bin} bins in place of {asked}: too many objects have the same {wanted.point}")
    if wanted.method == "stack":
        found = _stacked(objects, bins, edges, wanted, tell)
    elif wanted.method == "som":
        spec = read_test_set(_given(training), redshifts=redshifts, mapping=mapping)
        found = _reweighted(objects, bins, edges, wanted, spec=spec, tell=tell)
    else:
        prior, words = _prior(objects, edges, wanted, training, redshifts=redshifts, mapping=mapping)
        notes.append(words)
        found = _inferred(objects, bins, edges, wanted, prior=prior, tell=tell)
    empty = [bins.names[index] for index in np.flatnonzero(found.estimate.n_obj == 0)]
    if empty:
        notes.append(f"no objects in the bins {', '.join(empty)}")
    counts = {**objects.counts, "in_bins": int(found.estimate.n_obj.sum()), **found.counts}
    inputs = [Path(run) / "pz", Path(run) / "pz_pdf", *(path for path in (training, redshifts) if path is not None)]
    model = Path(run) / "model"
    record = provenance_record(
        "nz estimate",
        started=started,
        inputs=inputs,
        model=model if model.is_dir() else None,
        configuration=asdict(wanted),
        counts=counts,
        command=command,
    )
    product = NzProduct(
        directory=root,
        method=wanted.method,
        label=METHODS[wanted.method],
        bins=bins,
        estimate=found.estimate,
        share_without=np.zeros(bins.n_bin) if found.share_without is None else found.share_without,
        counts=counts,
        diagnostics=found.diagnostics,
        notes=(*notes, *found.notes),
        settings=asdict(wanted),
        record=record,
        cells=found.cells,
    )
    write_nz(product)
    if page:
        from pzcenter.pipelines.nz.page import write_nz_page

        write_nz_page(root / "nz.html", product)
    tell(1.0, "done")
    return product


def _check(settings: NzSettings, training: Any) -> None:
    if settings.method not in METHODS:
        raise ConfigError(f"no method {settings.method!r}; there are {', '.join(METHODS)}")
    if settings.n_sample < 2:
        raise ConfigError(f"errors need at least 2 samples; got {settings.n_sample}")
    if settings.groups not in {"random", "sky"}:
        raise ConfigError(f"groups are random or sky; got {settings.groups!r}")
    if settings.prior not in {"model", "training", "flat"}:
        raise ConfigError(f"the prior in the p(z) is model, training or flat; got {settings.prior!r}")
    if settings.n_group < 2 or settings.n_max < 1 or not settings.alpha > 0:
        raise ConfigError("n_group must be at least 2, n_max at least 1 and alpha positive")
    if settings.method == "hierarchical" and settings.n_iter < 2 * settings.n_sample:
        raise ConfigError(
            f"{settings.n_sample} draws need at least {2 * settings.n_sample} steps; got {settings.n_iter}"
        )
    if training is None and (
        settings.method == "som" or (settings.method == "hierarchical" and settings.prior == "training")
    ):
        raise ConfigError(f"method {settings.method} needs objects of known redshift (--training TABLE)")


def _given(training: str | os.PathLike[str] | None) -> str | os.PathLike[str]:
    assert training is not None
    return training


def _stacked(
    objects: RunObjects, bins: SampleBins, edges: NDArray[np.float64], settings: NzSettings, tell: Progress
) -> _Found:
    on_sky = settings.groups == "sky"
    if on_sky and not objects.has_positions:
        raise ConfigError("the table has no positions: groups must be random")
    sums = StackSums(settings.n_group, bins.n_bin, edges, objects.z_grid)
    cells: set[int] = set()
    total, done = max(objects.n_rows, 1), 0
    for block in objects.blocks(with_pdf=True):
        assert block.pdf is not None
        if on_sky:
            assert block.healpix is not None
            cell = block.healpix >> (2 * (29 - _SKY_ORDER))
            cells.update(np.unique(cell).tolist())
            key = cell
        else:
            key = block.object_id
        group = (mix(key.astype(np.uint64), settings.seed) % np.uint64(settings.n_group)).astype(np.int64)
        sums.add(block.pdf, bins.assign(block.point), group)
        done += block.point.size
        tell(0.9 * done / total, f"{done:,} p(z) summed")
    if on_sky and len(cells) < _MIN_SKY_GROUPS:
        raise ConfigError(
            f"the objects lie in {len(cells)} cells of the sky; at least {_MIN_SKY_GROUPS} are needed to resample them"
        )
    estimate = stacked_nz(sums, n_sample=settings.n_sample, seed=settings.seed)
    n_filled = int(sums.n_obj.any(axis=1).sum())
    facts = {"groups": settings.groups, "n_group_with_objects": n_filled}
    return _Found(estimate, facts | ({"n_sky_cells": len(cells)} if on_sky else {}), [], {})


def _reweighted(
    objects: RunObjects,
    bins: SampleBins,
    edges: NDArray[np.float64],
    settings: NzSettings,
    *,
    spec: Any,
    tell: Progress,
) -> _Found:
    made = reweight_on_cells(
        objects,
        bins,
        spec,
        edges,
        bands=settings.bands,
        shape=settings.shape,
        use_bins=settings.use_bins,
        n_sample=settings.n_sample,
        seed=settings.seed,
        progress=lambda done, text: tell(0.9 * done, text),
    )
    found = made.found
    notes = list(made.notes)
    n_empty = int(found.is_empty.sum())
    if n_empty:
        notes.append(
            f"{n_empty:,} of {int((found.n_target > 0).sum()):,} cells with objects have no known redshift; they hold "
            f"{100 * found.n_target[found.is_empty].sum() / found.n_target.sum():.1f} % of the objects"
        )
    if made.n_unplaced:
        notes.append(f"{made.n_unplaced:,} objects in bins have too few bands for a place on the map")
    cells = pa.table(
        {
            "cell": np.repeat(np.arange(len(found.n_target), dtype=np.int32), bins.n_bin),
            "bin": np.tile(np.arange(bins.n_bin, dtype=np.int16), len(found.n_target)),
            "n_target": found.n_target.ravel(),
            "n_spec": found.n_spec.ravel(),
            "without_redshifts": found.is_empty.ravel(),
        }
    )
    diagnostics = {
        "map": list(made.shape),
        "bands": list(made.bands),
        "cells_without_redshifts": n_empty,
        "n_effective": [float(value) for value in found.n_effective],
    }
    counts = {"known_redshifts": made.n_spec, "without_place_on_the_map": made.n_unplaced}
    return _Found(found.estimate, diagnostics, notes, counts, found.share_without, cells)


def _prior(
    objects: RunObjects,
    edges: NDArray[np.float64],
    settings: NzSettings,
    training: str | os.PathLike[str] | None,
    *,
    redshifts: str | os.PathLike[str] | None,
    mapping: str | None,
) -> tuple[NDArray[np.float64], str]:
    """Share of each cell in the prior that the p(z) hold, and where it is from."""
    if settings.prior == "flat":
        return np.diff(edges) / (edges[-1] - edges[0]), "the p(z) were taken to hold a flat prior"
    if settings.prior == "training":
        _, z = read_test_set(_given(training), redshifts=redshifts, mapping=mapping)
        return implicit_prior(z, edges), f"prior in the p(z): the {z.size:,} redshifts of {Path(_given(training)).name}"
    path = objects.root / "model"
    card = read_card(path) if path.is_dir() else None
    if card is None or card.domain is None:
        raise ConfigError(
            f"the model of {objects.root} did not record the redshifts it was trained on, so the prior in its p(z) is "
            "not known: give the training table (--training TABLE --prior training), or --prior flat where it was flat"
        )
    low, high = (np.array(values) for values in (card.domain.z_edges[:-1], card.domain.z_edges[1:]))
    counts = np.array(card.domain.z_counts, dtype=np.float64)
    shared = np.maximum(np.minimum(high[:, None], edges[1:]) - np.maximum(low[:, None], edges[:-1]), 0.0)
    in_cell = counts @ (shared / (high - low)[:, None]) + 0.5
    words = f"prior in the p(z): the {int(counts.sum()):,} training redshifts of the model's card"
    return in_cell / in_cell.sum(), words


def _check_cells(bins: SampleBins | int, step: float) -> None:
    if not isinstance(bins, SampleBins):
        return
    narrowest = min(high - low for low, high in zip(bins.low, bins.high, strict=True))
    if step > narrowest * (1 + 1e-9):
        raise ConfigError(f"cells of {step:g} are wider than the narrowest bin, {narrowest:g} (--step)")


def _refuse_templates(path: Path) -> None:
    manifest = path / MANIFEST_FILE
    if manifest.is_file() and parse_manifest(manifest.read_bytes(), where=str(path)).estimator == "template":
        raise ConfigError(
            "the prior of a template fit depends on magnitude and type: no histogram of redshifts stands for it. Take "
            "the methods stack or som; or say --prior training or flat, knowing that it is another one"
        )


def _inferred(
    objects: RunObjects,
    bins: SampleBins,
    edges: NDArray[np.float64],
    settings: NzSettings,
    *,
    prior: NDArray[np.float64],
    tell: Progress,
) -> _Found:
    drawn = _DrawnObjects(settings.n_max, edges.size - 1)
    operator = mass_operators(objects.z_grid, edges)[:, :-3].astype(np.float32)
    n_in_bin = np.zeros(bins.n_bin, dtype=np.int64)
    total, done = max(objects.n_rows, 1), 0
    for block in objects.blocks(with_pdf=True):
        assert block.pdf is not None
        index = bins.assign(block.point)
        n_in_bin += np.bincount(index[index >= 0], minlength=bins.n_bin)
        drawn.add(mix(block.object_id.astype(np.uint64), settings.seed), block.pdf, operator, index)
        done += block.point.size
        tell(0.4 * done / total, f"{done:,} p(z) read")
    probability, index = drawn.finish()
    if not index.size:
        raise EmptyTableError("no object has an estimate")
    tell(0.4, f"drawing from the posterior with {index.size:,} objects")
    made = infer_nz(
        probability,
        index,
        prior,
        edges,
        n_bin=bins.n_bin,
        alpha=settings.alpha,
        n_iter=settings.n_iter,
        n_sample=settings.n_sample,
        seed=settings.seed,
    )
    notes = []
    if index.size < done:
        notes.append(
            f"{index.size:,} of {done:,} objects, chosen by their ids, took part: the errors are those of that number"
        )
    if made.n_impossible:
        notes.append(f"{made.n_impossible:,} objects have no likelihood in any cell and were left out")
    if made.r_hat > 1.1 or made.n_effective < 50:
        notes.append(
            f"the chains mix slowly (R-hat {made.r_hat:.2f}, {made.n_effective:.0f} independent draws): errors are "
            "rough; more steps, or wider cells, help"
        )
    moved = float(0.5 * np.abs(made.whole.mean(axis=0) - prior).sum())
    notes.append(
        f"the inference moved {100 * moved:.0f} % of the sample to other redshifts than the prior of the p(z) has: "
        "right where the target is another population than the training set; where it is not, the p(z) are not "
        "calibrated"
    )
    diagnostics = {
        "r_hat": made.r_hat,
        "n_effective": made.n_effective,
        "n_in_bin_used": np.bincount(index[index >= 0], minlength=bins.n_bin).tolist(),
        "distance_from_prior": moved,
        "prior_in_pz": prior.tolist(),
        "whole_sample": made.whole.mean(axis=0).tolist(),
    }
    found = made.estimate
    whole_table = NzEstimate(
        found.edges, found.nz, found.samples, found.mean, found.width, found.mean_samples, found.width_samples, n_in_bin
    )
    return _Found(whole_table, diagnostics, notes, {"took_part": made.n_used, "impossible": made.n_impossible})


class _DrawnObjects:
    """At most so many objects, those with the smallest numbers, whatever the order in which they come."""

    def __init__(self, n_max: int, n_cell: int) -> None:
        self._n_max = n_max
        self._key = np.empty(0, dtype=np.uint64)
        self._probability = np.empty((0, n_cell), dtype=np.float32)
        self._bin = np.empty(0, dtype=np.int16)

    def add(
        self, key: NDArray[np.uint64], pdf: NDArray[np.float32], operator: NDArray[np.float32], index: NDArray[np.int16]
    ) -> None:
        """Take in a block."""
        limit = np.uint64(2**64 - 1) if self._key.size < self._n_max else self._key.max()
        rows = np.flatnonzero(key <= limit)
        self._key = np.concatenate([self._key, key[rows]])
        self._probability = np.concatenate([self._probability, pdf[rows] @ operator])
        self._bin = np.concatenate([self._bin, index[rows]])
        if self._key.size > self._n_max:
            kept = np.argpartition(self._key, self._n_max - 1)[: self._n_max]
            self._key, self._probability, self._bin = self._key[kept], self._probability[kept], self._bin[kept]

    def finish(self) -> tuple[NDArray[np.float32], NDArray[np.int16]]:
        """Probabilities and bins, in the order of the numbers."""
        order = np.argsort(self._key)
        return self._probability[order], self._bin[order]
