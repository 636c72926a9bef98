"""One method against the truth set, read once: the numbers of each object, and the few p(z) that pages show."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pzcenter.errors import EmptyTableError
from pzcenter.science import pz
from pzcenter.validation.examples import ExamplePicker
from pzcenter.validation.sample import POINTS
from pzcenter.validation.streamed_metrics import MetricChunk, join_scores, score_chunks, score_points
from pzcenter.validation.submissions import aligned_chunks

from .kept import KeptDensities, WorstKeeper, chosen_for_all, chosen_for_examples

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from pzcenter.validation.streamed_metrics import ObjectScores
    from pzcenter.validation.submissions import Alignment, Submission

    from .truth import TruthSet

__all__ = ["ScoredObjects", "score_densities", "score_submission", "truth_chunk"]


@dataclass(frozen=True, eq=False)
class ScoredObjects:
    """What remains of one method after its p(z) were read.

    Parameters
    ----------
    scores : ObjectScores
    kept : KeptDensities
    """

    scores: ObjectScores
    kept: KeptDensities


def score_submission(
    submission: Submission, alignment: Alignment, truth: TruthSet, *, point: str = "submitted"
) -> ScoredObjects:
    """Read a submission once and score it.

    Parameters
    ----------
    submission : Submission
    alignment : Alignment
        Of it with ``truth.object_id``.
    truth : TruthSet
    point : {"submitted", "from_pdf"}
        Whether ``z_best`` is the participant's own point estimate, where there is one, or follows from p(z).

    Returns
    -------
    ScoredObjects

    Raises
    ------
    EmptyTableError
        No object of the truth set has an estimate.
    PZCenterError
        A row that is in error; the message names the file and the row.
    """
    if submission.has_pdf:
        return score_densities(_chunks(submission, alignment, truth, point), truth)
    return _score_points(submission, alignment, truth)


def _chunks(submission: Submission, alignment: Alignment, truth: TruthSet, point: str) -> Iterator[MetricChunk]:
    own = submission.z_point_name if point == "submitted" else None
    for chunk, place in aligned_chunks(submission, alignment):
        assert chunk.pz is not None
        points = {} if own is None else {name: chunk.extra[name] for name in POINTS if name in chunk.extra}
        if own is not None:
            points.setdefault("z_best", chunk.extra[own])
        yield truth_chunk(truth, place, chunk.pz, submission.z_grid, points=points)


def truth_chunk(
    truth: TruthSet, place: NDArray[np.int64], pdf: NDArray[Any], z_grid: NDArray[np.float64], **more: Any
) -> MetricChunk:
    """Densities beside the truth of the objects at ``place``."""
    covariates = {name: values[place] for name, values in truth.covariates.items()}
    return MetricChunk(
        pdf, z_grid, truth.z_spec[place], object_id=truth.object_id[place], covariates=covariates, **more
    )


def score_densities(chunks: Iterable[MetricChunk], truth: TruthSet) -> ScoredObjects:
    """Score chunks of p(z) one by one; each is forgotten before the next is read.

    Parameters
    ----------
    chunks : iterable of MetricChunk
        With ids, on one redshift grid.
    truth : TruthSet
        Chooses the objects whose p(z) are kept of every method.

    Returns
    -------
    ScoredObjects

    Raises
    ------
    EmptyTableError
        No object has an estimate.
    GridError
        The chunks are not on one grid.
    """
    keeper = _Keeper(truth)
    parts: list[ObjectScores] = []
    stack: NDArray[np.float64] | None = None
    n_empty = 0
    for chunk in chunks:
        try:
            part = score_chunks([chunk])
        except EmptyTableError:  # none of these few: the others may have some
            n_empty += chunk.pdf.shape[0]
            continue
        keeper.look_at(chunk, part)
        stack = part.stack if stack is None else stack + part.stack
        parts.append(replace(part, stack=np.zeros((0, part.z_grid.size))))
    if stack is None:
        raise EmptyTableError(f"none of the {n_empty} objects of the truth set that were read has an estimate")
    joined = join_scores(parts)
    scores = replace(joined, stack=stack, n_in=joined.n_in + n_empty, n_no_estimate=joined.n_no_estimate + n_empty)
    return ScoredObjects(scores, keeper.kept(scores.z_grid))


def _score_points(submission: Submission, alignment: Alignment, truth: TruthSet) -> ScoredObjects:
    places: list[NDArray[np.int64]] = []
    points: dict[str, list[NDArray[np.float64]]] = {}
    for chunk, place in aligned_chunks(submission, alignment):
        places.append(place)
        for name in submission.points:
            points.setdefault(name, []).append(chunk.extra[name])
    if not places:
        raise EmptyTableError(f"{submission.name} has none of the {truth.n_obj} objects of the truth set")
    place = np.concatenate(places)
    named = {name: np.concatenate(values) for name, values in points.items()}
    own = submission.z_point_name
    ordered = {} if own is None else {"z_best": named[own]}
    scores = score_points(
        ordered | named,
        truth.z_spec[place],
        object_id=truth.object_id[place],
        covariates={name: values[place] for name, values in truth.covariates.items()},
    )
    worst = WorstKeeper()
    worst.add(scores, None)
    return ScoredObjects(scores, worst.kept(np.empty(0)))


class _Keeper:
    """The p(z) that are kept: those of the same objects for all methods, examples of each kind, and the worst."""

    def __init__(self, truth: TruthSet) -> None:
        self._for_all = chosen_for_all(truth.object_id)
        self._candidates = chosen_for_examples(truth.object_id)
        self._picker = ExamplePicker()
        self._worst = WorstKeeper()
        self._ids: list[NDArray[np.int64]] = []
        self._pdf: list[NDArray[np.float32]] = []

    def look_at(self, chunk: MetricChunk, part: ObjectScores) -> None:
        """Keep what is wanted of one chunk; ``part`` are its scores."""
        assert chunk.object_id is not None
        order = np.argsort(chunk.object_id, kind="stable")
        row = order[np.searchsorted(chunk.object_id[order], part.object_id)]  # of the chunk, for each scored object
        shared = np.flatnonzero(np.isin(part.object_id, self._for_all))
        self._ids.append(part.object_id[shared])
        self._pdf.append(np.asarray(chunk.pdf[row[shared]], dtype=np.float32))
        self._worst.add(part, lambda rows: np.asarray(chunk.pdf[row[rows]], dtype=np.float32))
        chosen = np.flatnonzero(np.isin(part.object_id, self._candidates))
        if chosen.size:
            pdf = np.asarray(chunk.pdf[row[chosen]], dtype=np.float32)
            estimates = pz.point_estimates(pdf, part.z_grid)
            self._picker.add(
                part.object_id[chosen],
                pdf / np.asarray(np.trapezoid(pdf, part.z_grid, axis=1))[:, None],
                z_spec=part.z_spec[chosen],
                z_best=part.points["z_best"][chosen],
                pit=part.pdf["pit"][chosen],
                half_width=0.5 * (estimates.z_err68_high - estimates.z_err68_low),
                is_multi_modal=estimates.multi_modal,
            )

    def kept(self, z_grid: NDArray[np.float64]) -> KeptDensities:
        """All that was kept."""
        worst = self._worst.kept(z_grid)
        return replace(
            worst,
            object_id=np.concatenate(self._ids),
            pdf=np.concatenate(self._pdf),
            examples=self._picker.examples(),
        )
