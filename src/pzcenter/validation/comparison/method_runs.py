"""The methods of a comparison, one at a time: scored now, or taken from what an earlier run left."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pzcenter.catalogs.provenance import describe_file
from pzcenter.errors import EmptyTableError
from pzcenter.validation.binned_metrics import round_edges
from pzcenter.validation.submissions import align, grid_cover
from pzcenter.validation.technical_metrics import TechnicalFacts

from .entries import slug
from .evaluation import evaluate_method, table_of
from .results import MethodFacts, MethodResult
from .scoring import score_submission
from .store import STATE_NAME, key_of, read_rows, read_state, write_scored, write_state
from .streamed_controls import score_control

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pzcenter.validation.submissions import Alignment, Submission

    from .entries import Entry
    from .scoring import ScoredObjects
    from .settings import ComparisonSettings
    from .truth import TrainingSet, TruthSet

__all__ = ["CONTROL_WORDS", "MethodRuns"]


CONTROL_WORDS = {
    "trainz": "gives every object the n(z) of the training set: it knows the sample and nothing of the object",
    "neighbours": "gives what the nearest training objects in colour have",
}
"""What each control is, for people."""


class MethodRuns:
    """What all methods of a comparison share, and how each is scored.

    Parameters
    ----------
    settings : ComparisonSettings
    truth : TruthSet
    training : TrainingSet or None
    folder : Path
        Holds a directory for each method.
    taken : sequence of str
        Names of submissions, which no control takes.
    """

    def __init__(
        self,
        settings: ComparisonSettings,
        truth: TruthSet,
        training: TrainingSet | None,
        folder: Path,
        *,
        taken: Sequence[str] = (),
    ) -> None:
        self.settings, self.truth, self.training, self.folder = settings, truth, training, folder
        self.notes: list[str] = [*truth.notes, *(() if training is None else training.notes)]
        self.control_names: dict[str, str] = {}
        """Names of the controls in this comparison, with those of their methods."""
        if training is None:
            self.notes.append("no controls were run: no training set was given")
        elif truth.photometry is None:
            self.notes.append("no controls were run: there is no photometry of the truth set")
        else:
            self.control_names = _free_names(settings.controls, taken)
        low, high = np.percentile(truth.z_spec, (0.1, 99.9))
        self._z_edges = round_edges(float(low), float(high))
        mag = truth.covariates.get("mag", np.empty(0))
        mag = mag[np.isfinite(mag)]
        self._mag_edges = round_edges(*(float(x) for x in np.percentile(mag, (0.5, 99.5)))) if mag.size else None

    def submission(self, entry: Entry) -> MethodResult:
        """Score a submission, or take what an earlier run left of it."""
        key = self._key(source=entry.source, options=_options(entry))
        directory = self.folder / slug(entry.name)
        texts: dict[str, Any] = {"name": entry.name, "path": str(entry.settings.path), "author": entry.settings.author}
        texts |= {"method": entry.settings.method, "description": entry.submission.description}
        if (stored := read_state(directory, key)) is not None:
            return self._result(directory, key, replace(stored[0], **texts), stored[1], is_resumed=True)
        submission = entry.submission
        alignment = align(submission, self.truth.object_id)
        if not alignment.n_matched:
            raise EmptyTableError(_nothing_in_common(submission, alignment))
        cover = grid_cover(submission.z_grid, self.truth.z_spec).sentences() if submission.has_pdf else []
        scored = score_submission(submission, alignment, self.truth, point=self.settings.point)
        facts = MethodFacts(
            kind="submission",
            form=submission.form_name,
            point=_point_words(submission, self.settings.point),
            n_rows=submission.n_rows,
            n_matched=alignment.n_matched,
            n_missing=alignment.n_missing,
            n_extra=alignment.n_extra,
            n_duplicate=alignment.n_duplicate,
            sentences=(*alignment.sentences(), *cover, *submission.tally.sentences()),
            **texts,
        )
        said = entry.settings.technical
        technical = TechnicalFacts(
            train_s=_known(said.train_s),
            estimate_s=_known(said.estimate_s),
            n_obj=submission.n_rows,
            peak_bytes=1e9 * _known(said.peak_gb),
            output_bytes=float(entry.source["n_bytes"]),
            model_bytes=1e6 * _known(said.model_mb),
        )
        return self._finish(directory, key, facts, scored, technical)

    def control(self, name: str) -> MethodResult:
        """Train, run and score a control, or take what an earlier run left of it."""
        assert self.training is not None
        method = self.control_names[name]
        key = self._key(control=method)
        directory = self.folder / slug(name)
        if (stored := read_state(directory, key)) is not None:
            return self._result(directory, key, replace(stored[0], name=name), stored[1], is_resumed=True)
        made = score_control(method, self.truth, self.training)
        facts = MethodFacts(
            name=name,
            kind="control",
            method=f"{method} of PZ Center, trained on {self.training.z_spec.size:,} objects",
            description=CONTROL_WORDS.get(method, ""),
            form="grid",
            point="z_best: redshift of least risk",
            n_rows=self.truth.n_obj,
            n_matched=self.truth.n_obj,
        )
        return self._finish(directory, key, facts, made.scored, made.technical)

    def _key(self, **content: Any) -> str:
        """Checksum of what the numbers of a method follow from."""
        chosen = ("mag_band", "mag_max", "mapping", "point", "bins", "requirements", "n_bootstrap", "seed")
        settings = self.settings.model_dump(mode="json", include=set(chosen))
        sources = [*self.truth.sources, *(() if self.training is None else self.training.sources)]
        return key_of({**content, "settings": settings, "truth": [source["sha256"] for source in sources]})

    def _finish(
        self, directory: Path, key: str, facts: MethodFacts, scored: ScoredObjects, technical: TechnicalFacts
    ) -> MethodResult:
        (directory / STATE_NAME).unlink(missing_ok=True)
        rows = evaluate_method(
            scored.scores,
            self.settings,
            mag_band=self.truth.mag_band,
            technical=technical,
            z_edges=self._z_edges,
            mag_edges=self._mag_edges,
        )
        write_scored(directory, scored.scores, scored.kept, rows)
        counts = {
            "n_obj": scored.scores.n_obj,
            "n_no_estimate": scored.scores.n_no_estimate,
            "has_pdf": bool(scored.scores.pdf),
        }
        write_state(directory, key, facts, counts)
        return self._result(directory, key, facts, counts)

    def _result(
        self, directory: Path, key: str, facts: MethodFacts, counts: dict[str, Any], *, is_resumed: bool = False
    ) -> MethodResult:
        return MethodResult(
            facts=facts,
            table=table_of(read_rows(directory), self.settings, self.truth.mag_band),
            n_truth=self.truth.n_obj,
            directory=directory,
            key=key,
            is_resumed=is_resumed,
            **counts,
        )


def _free_names(controls: Sequence[str], taken: Sequence[str]) -> dict[str, str]:
    used = {slug(name).casefold() for name in taken}
    return {name if slug(name).casefold() not in used else f"{name}-control": name for name in controls}


def _options(entry: Entry) -> dict[str, Any]:
    """Settings of a submission that change its numbers."""
    names = {"format", "z_grid", "bad_rows", "technical"}
    options = entry.settings.model_dump(mode="json", include=names)
    ids = entry.settings.ids
    return {**options, "ids": None if ids is None else describe_file(ids)["sha256"]}


def _point_words(submission: Submission, point: str) -> str:
    own = submission.z_point_name
    if own is None or (point == "from_pdf" and submission.has_pdf):
        return "z_best: redshift of least risk of p(z)"
    return f"z_best: the submitted {submission.points[own]}"


def _nothing_in_common(submission: Submission, alignment: Alignment) -> str:
    return f"{submission.columns.path}: none of its {submission.n_rows} objects can be scored; " + "; ".join(
        alignment.sentences()
    )


def _known(value: float | None) -> float:
    return float("nan") if value is None else value
