"""Lines of the leaderboard: value, error, points and rank of each submission in each metric and scenario.

Ranks are among participants. A difference inside its error gives two methods the same rank, and nobody a medal.
Controls have values and no rank: what counts is who beats them.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq

from pzcenter.errors import FileFormatError
from pzcenter.validation.metric_suite_info import SUITE
from pzcenter.validation.ranking import rank_methods

from .object_scores import read_scores
from .scoring import ScoreTask, score_path, scoring_version
from .settings import OVERALL

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pzcenter.validation.ranking import Ranking
    from pzcenter.validation.streamed_metrics import ObjectScores
    from pzcenter.validation.verdicts import ChallengeBand

    from .layout import Challenge
    from .records import SubmissionRecord

__all__ = ["SCORE", "BoardLine", "board_lines"]

SCORE = "score"
"""Name of the sum of points among the metrics."""
MEDALS = 3


@dataclass(frozen=True)
class BoardLine:
    """One submission in one metric of one scenario.

    Parameters
    ----------
    scenario : str
        ``overall`` for all of them together.
    metric : str
        ``score`` for the share of the possible points.
    submission_id, name, author, method, kind, submitted : str
        Of the submission.
    value, error : float
        NaN where there is none.
    low, high : float
        Of the score: what it would be if all values were off by their errors, to the worse and to the better. Of
        other metrics: value less and plus error.
    points, possible : int
        NaN-free; 0 where the metric gives no points.
    rank, rank_low, rank_high : int, optional
        Among participants; none for controls and where there is no value.
    same_as : tuple of str
        Ids of participants that are neither better nor worse, within the error.
    beats : tuple of str
        Methods of the controls that this is better than by more than the error.
    medal : int, optional
        1 to 3, where nobody has the same rank.
    n_obj : int
        Objects that were scored.
    coverage : float
        Share of the test set that has an estimate.
    """

    scenario: str
    metric: str
    submission_id: str
    name: str
    author: str
    method: str
    kind: str
    submitted: str
    value: float = math.nan
    error: float = math.nan
    low: float = math.nan
    high: float = math.nan
    points: int = 0
    possible: int = 0
    rank: int | None = None
    rank_low: int | None = None
    rank_high: int | None = None
    same_as: tuple[str, ...] = ()
    beats: tuple[str, ...] = ()
    medal: int | None = None
    n_obj: int = 0
    coverage: float = 0.0


@dataclass(frozen=True)
class _Scored:
    """What is stored of one submission on one scenario."""

    record: SubmissionRecord
    head: dict[str, Any]
    values: dict[str, tuple[float, float]]
    objects: ObjectScores

    def line(self, scenario: str, metric: str, **more: Any) -> BoardLine:
        coverage = 1.0 - self.head["n_no_estimate"] / self.head["n_test"]
        return _blank(self.record, scenario, metric, n_obj=self.head["n_obj"], coverage=coverage, **more)


def board_lines(challenge: Challenge, *, version: str | None = None) -> list[BoardLine]:
    """Make all lines, from the stored scores.

    Parameters
    ----------
    challenge : Challenge
    version : str, optional
        Of the scores; the present one by default.

    Returns
    -------
    list of BoardLine
        ``overall`` first, then the scenarios in their order; in each the score, then the metrics; best first.

    Raises
    ------
    FileFormatError
        Stored scores are damaged.
    """
    chosen = scoring_version(challenge) if version is None else version
    records = challenge.submissions()
    lines: list[BoardLine] = []
    totals: list[BoardLine] = []
    for scenario in challenge.settings.scenario_names:
        found = {each.record.submission_id: each for each in _stored(challenge, records, scenario, chosen)}
        absent = [record for record in records if record.submission_id not in found]
        scores = [_score_line(challenge, each, scenario) for each in found.values()]
        possible = sum(len(each.limits) for each in challenge.settings.scoring.bands)
        scores += [_blank(record, scenario, SCORE, possible=possible) for record in absent]
        scores = _ranked_by_range(scores)
        totals += scores
        lines += scores
        for metric in challenge.settings.scoring.metrics:
            lines += _metric_lines(challenge, found, scenario, metric)
    return [*_overall(totals, len(challenge.settings.scenario_names)), *lines]


def _blank(record: SubmissionRecord, scenario: str, metric: str, **more: Any) -> BoardLine:
    facts = {name: getattr(record, name) for name in ("submission_id", "name", "author", "method", "kind", "submitted")}
    return BoardLine(scenario, metric, **facts, **more)


def _stored(challenge: Challenge, records: Sequence[SubmissionRecord], scenario: str, version: str) -> list[_Scored]:
    truth = challenge.vault.table(scenario)
    found = []
    for record in records:
        path = score_path(challenge, ScoreTask(challenge.directory, record.submission_id, scenario, version))
        if not path.is_file():
            continue
        try:
            head = json.loads(path.read_text(encoding="utf-8"))
            rows = pq.read_table(path.with_suffix(".parquet"), partitioning=None).to_pylist()
        except (OSError, ValueError) as error:
            raise FileFormatError(f"{path} is damaged: {error}; score again") from error
        values = {
            row["metric"]: (row["value"], row["error"])
            for row in rows
            if row["axis"] == "all" and row["point"] in ("z_best", "pdf", "method")
        }
        objects = read_scores(challenge.vault.object_scores(version, record.submission_id, scenario), truth)
        found.append(_Scored(record, head, values, objects))
    return found


def _score_line(challenge: Challenge, scored: _Scored, scenario: str) -> BoardLine:
    """Sum of points, with what it would be at the ends of the errors."""
    scoring = challenge.settings.scoring
    points, worst, best = sum(scored.head["points"].values()), 0, 0
    for settings in scoring.bands:
        value, error = scored.values.get(settings.metric, (math.nan, math.nan))
        low, high = _points_range(settings.band, value, scoring.n_sigma * error)
        worst, best = worst + low, best + high
    possible = scored.head["possible"]
    return scored.line(
        scenario,
        SCORE,
        value=points / possible,
        error=(best - worst) / (2.0 * scoring.n_sigma * possible),
        low=worst / possible,
        high=best / possible,
        points=points,
        possible=possible,
    )


def _points_range(band: ChallengeBand, value: float, margin: float) -> tuple[int, int]:
    """Fewest and most points of values within a margin."""
    here = band.score(value)
    if not (math.isfinite(value) and math.isfinite(margin)):
        return here, here
    low, high = value - margin, value + margin
    best = min(max(0.0, low), high)
    found = [band.score(each) for each in (low, best, high, value)]
    return min(found), max(found)


def _metric_lines(challenge: Challenge, found: Mapping[str, _Scored], scenario: str, metric: str) -> list[BoardLine]:
    """Values of one metric with paired ranks."""
    if not found:
        return []
    scoring = challenge.settings.scoring
    bands = {settings.metric: settings.band for settings in scoring.bands}
    participants = {key: each.objects for key, each in found.items() if each.record.kind == "participant"}
    ranking = None
    if participants:
        ranking = rank_methods(
            participants, metric, n_sigma=scoring.n_sigma, n_bootstrap=scoring.n_rank, seed=scoring.seed
        )
    beaten = _beaten(found, metric, scoring.n_sigma)
    lines = []
    for key, each in found.items():
        value, error = each.values.get(metric, (math.nan, math.nan))
        line = each.line(
            scenario,
            metric,
            value=value,
            error=error,
            low=value - error,
            high=value + error,
            points=each.head["points"].get(metric, 0),
            possible=len(bands[metric].bands) if metric in bands else 0,
            beats=beaten.get(key, ()),
        )
        lines.append(_with_rank(line, ranking))
    lines.sort(key=lambda line: _order(line, SUITE[metric].badness(line.value)))
    return _with_medals(lines)


def _with_rank(line: BoardLine, ranking: Ranking | None) -> BoardLine:
    if ranking is None or line.kind != "participant" or not math.isfinite(line.value):
        return line
    found = ranking.method(line.submission_id)
    return replace(
        line, rank=found.rank, rank_low=found.rank_low, rank_high=found.rank_high, same_as=tuple(found.same_as)
    )


def _beaten(found: Mapping[str, _Scored], metric: str, n_sigma: float) -> dict[str, tuple[str, ...]]:
    """Controls that each participant is better than by more than the errors of both together.

    The errors are taken as independent. Those of two methods on the same objects mostly are not, which makes the test
    a strict one.
    """
    badness = SUITE[metric].badness
    values = {key: each.values.get(metric, (math.nan, math.nan)) for key, each in found.items()}
    controls = {key: each.record.method for key, each in found.items() if each.record.kind == "control"}
    return {
        key: tuple(
            method
            for other, method in controls.items()
            if badness(values[other][0]) - badness(value) > n_sigma * math.hypot(error, values[other][1])
        )
        for key, (value, error) in values.items()
        if key not in controls
    }


def _ranked_by_range(lines: list[BoardLine]) -> list[BoardLine]:
    """Ranks of scores: one is better than another when the ranges do not touch."""
    participants = [line for line in lines if line.kind == "participant" and math.isfinite(line.value)]
    controls = [line for line in lines if line.kind == "control" and math.isfinite(line.value)]
    ranked = []
    for line in lines:
        if line not in participants:
            ranked.append(line)
            continue
        better = sum(other.low > line.high for other in participants)
        worse = sum(other.high < line.low for other in participants)
        same = [
            other.submission_id
            for other in participants
            if other.submission_id != line.submission_id and other.low <= line.high and other.high >= line.low
        ]
        ranked.append(
            replace(
                line,
                rank=1 + better,
                rank_low=1 + better,
                rank_high=len(participants) - worse,
                same_as=tuple(same),
                beats=tuple(control.method for control in controls if line.low > control.high),
            )
        )
    ranked.sort(key=lambda line: _order(line, -line.value))
    return _with_medals(ranked)


def _order(line: BoardLine, badness: float) -> tuple[bool, int, float, str]:
    """Participants by rank, those without value last; controls among them by value."""
    lost = not math.isfinite(badness)
    return (lost, 0, 0.0 if lost else badness, line.submission_id)


def _with_medals(lines: list[BoardLine]) -> list[BoardLine]:
    taken = [line.rank for line in lines if line.rank is not None]
    return [
        replace(line, medal=line.rank)
        if line.rank is not None and line.rank <= MEDALS and taken.count(line.rank) == 1 and not line.same_as
        else line
        for line in lines
    ]


def _overall(lines: Sequence[BoardLine], n_scenario: int) -> list[BoardLine]:
    """Points of all scenarios; one without a result gives none."""
    grouped: dict[str, list[BoardLine]] = {}
    for line in lines:
        grouped.setdefault(line.submission_id, []).append(line)
    totals = []
    for own in grouped.values():
        possible = sum(line.possible for line in own)
        points = sum(line.points for line in own)
        low, high = (
            sum(_known(getattr(line, end)) * line.possible for line in own) / possible for end in ("low", "high")
        )
        totals.append(
            replace(
                own[0],
                scenario=OVERALL,
                value=points / possible if any(line.n_obj for line in own) else math.nan,
                error=math.sqrt(sum((_known(line.error) * line.possible) ** 2 for line in own)) / possible,
                low=low,
                high=high,
                points=points,
                possible=possible,
                n_obj=sum(line.n_obj for line in own),
                coverage=sum(line.coverage for line in own) / n_scenario,
                rank=None,
                medal=None,
                same_as=(),
                beats=(),
            )
        )
    return _ranked_by_range(totals)


def _known(value: float) -> float:
    return value if math.isfinite(value) else 0.0
