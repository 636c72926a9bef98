"""The lines that a photo-z method passes or fails, as data with their sources, and the scores of the DESC challenge.

A line is never passed in silence: what was not measured is ``not tested``, and what was measured on fewer bins than
there are says so.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .metric_suite_info import SUITE
from .requirements import DMTN049, LSST_SRD, REQUIREMENTS, Requirement, Selection
from .table import MetricRow, Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "BIN_LINES",
    "CHALLENGE_BANDS",
    "DP2_LINES",
    "LINES",
    "LINE_SELECTIONS",
    "BinLine",
    "ChallengeBand",
    "ChallengeScore",
    "challenge_scores",
    "give_verdicts",
]

_DESC = "LSST DESC Science Requirements Document v1 (2018), arXiv:1809.01669"


def _desc(name: str, title: str, source: str) -> Selection:
    return Selection(name=name, title=title, source=source, z_min=0.0, z_max=math.inf, mag_max=math.inf)


DESC_LSS_Y1 = _desc("desc_lss_y1", "DESC clustering, year 1", _DESC)
DESC_LSS_Y10 = _desc("desc_lss_y10", "DESC clustering, year 10", f"{_DESC}, requirement LSS1")
DESC_WL_Y1 = _desc("desc_wl_y1", "DESC lensing, year 1", _DESC)
DESC_WL_Y10 = _desc("desc_wl_y10", "DESC lensing, year 10", _DESC)
DP2_6_BAND = Selection(
    name="dp2_6_band",
    title="Best of Rubin DP2, six bands",
    source="RTN-124, test set of DP2",
    z_min=0.001,
    z_max=math.inf,
    mag_max=math.inf,
)
DP2_4_BAND = Selection(
    name="dp2_4_band",
    title="Best of Rubin DP2, four bands",
    source="RTN-124, test set of DP2",
    z_min=0.001,
    z_max=math.inf,
    mag_max=math.inf,
)


@dataclass(frozen=True)
class BinLine:
    """A limit that holds in every bin of a set of tomographic bins.

    Parameters
    ----------
    requirement : Requirement
    bins : str
        Name of the bins (``axis`` of the metric table).
    """

    requirement: Requirement
    bins: str


def _in_bins(selection: Selection, bins: str, kind: str, *, mean: float, width: float) -> tuple[BinLine, BinLine]:
    return (
        BinLine(
            Requirement(selection, "nz_mean_shift", mean, f"mean z of each {kind} bin known to {mean:g} (1+z)"), bins
        ),
        BinLine(
            Requirement(selection, "nz_width_shift", width, f"width of each {kind} bin known to {width:g} (1+z)"), bins
        ),
    )


BIN_LINES = (
    *_in_bins(DESC_LSS_Y1, "lens_y1", "lens", mean=0.005, width=0.1),
    *_in_bins(DESC_LSS_Y10, "lens_y10", "lens", mean=0.003, width=0.03),
    *_in_bins(DESC_WL_Y1, "source", "source", mean=0.002, width=0.006),
    *_in_bins(DESC_WL_Y10, "source", "source", mean=0.001, width=0.003),
)
"""Limits of n(z) in each bin. The document limits what calibration leaves unknown; here the whole shift counts."""

DP2_LINES = (
    Requirement(DP2_6_BAND, "bias", 0.025, "bias no larger than in DP2, 0.025 (1+z)"),
    Requirement(DP2_6_BAND, "sigma_nmad", 0.033, "scatter below the best of DP2, 0.033 (FlexZBoost)"),
    Requirement(DP2_6_BAND, "outlier_fraction", 0.119, "outliers below the best of DP2, 11.9 % (TPZ)"),
    Requirement(DP2_4_BAND, "bias", 0.025, "bias no larger than in DP2, 0.025 (1+z)"),
    Requirement(DP2_4_BAND, "sigma_nmad", 0.038, "scatter below the best of DP2, 0.038 (FlexZBoost)"),
    Requirement(DP2_4_BAND, "outlier_fraction", 0.144, "outliers below the best of DP2, 14.4 % (TPZ)"),
)
"""What was reached in DP2, on another test set: a comparison, no requirement."""

LINES: tuple[Requirement, ...] = (*REQUIREMENTS, *DP2_LINES, *(line.requirement for line in BIN_LINES))
LINE_SELECTIONS = (DMTN049, LSST_SRD, DP2_6_BAND)
"""Parts of the sample on which lines are stated; that of the four bands of DP2 is that of the six."""

_SAME_ROWS = {DP2_4_BAND.name: DP2_6_BAND.name}


def give_verdicts(
    rows: Sequence[MetricRow], *, mag_band: str | None = None, point: str = "z_best"
) -> tuple[Verdict, ...]:
    """Hold rows of a metric table against every line.

    Parameters
    ----------
    rows : sequence of MetricRow
    mag_band : str, optional
        Band of the magnitudes by which objects were selected.
    point : str
        Point estimate that is tested.

    Returns
    -------
    tuple of Verdict
        One for each of :data:`LINES`, in their order; of a line on bins, the worst bin.
    """
    found = [_of_selection(line, rows, mag_band, point) for line in (*REQUIREMENTS, *DP2_LINES)]
    return (*found, *(_of_bins(line, rows) for line in BIN_LINES))


def _of_selection(line: Requirement, rows: Sequence[MetricRow], mag_band: str | None, point: str) -> Verdict:
    name = _SAME_ROWS.get(line.selection.name, line.selection.name)
    for row in rows:
        if (row.axis, row.selection, row.metric, row.point) == ("selection", name, line.metric, point):
            return Verdict(line, row, line.selection.words(mag_band))
    nothing = MetricRow(line.metric, point, "selection", math.nan, math.nan, 0, selection=line.selection.name)
    return Verdict(line, nothing, line.selection.words(mag_band))


def _of_bins(line: BinLine, rows: Sequence[MetricRow]) -> Verdict:
    bins = [row for row in rows if row.axis == line.bins and row.metric == line.requirement.metric]
    measured = [row for row in bins if not math.isnan(row.value)]
    missing = len(bins) - len(measured)
    if not measured:
        nothing = MetricRow(line.requirement.metric, "pdf", line.bins, math.nan, math.nan, 0)
        return Verdict(line.requirement, nothing, f"no bin of {line.bins} could be measured")
    worst = max(measured, key=lambda row: abs(row.value))
    words = f"worst of {len(measured)} bins, {worst.bin_low:g} to {worst.bin_high:g}"
    return Verdict(line.requirement, worst, f"{words}; {missing} too empty to test" if missing else words)


@dataclass(frozen=True)
class ChallengeBand:
    """Nested bands of one metric of the DESC p(z) challenge: one point for each band that holds the value.

    Parameters
    ----------
    metric : str
        Our name.
    name : str
        Theirs.
    bands : tuple of (float, float)
        From the narrowest; both ends belong to it.
    """

    metric: str
    name: str
    bands: tuple[tuple[float, float], ...]

    def score(self, value: float) -> int:
        """Points of a value: 0 to 3; what is not a number scores 0."""
        return sum(low <= value <= high for low, high in self.bands)


def _band(metric: str, *limits: float, symmetric: bool = False) -> ChallengeBand:
    name = SUITE[metric].challenge_name or metric
    return ChallengeBand(metric, name, tuple((-limit if symmetric else 0.0, limit) for limit in limits))


CHALLENGE_BANDS = (
    _band("biweight_bias", 0.01, 0.025, 0.05, symmetric=True),
    _band("biweight_sigma", 0.025, 0.05, 0.10),
    _band("outlier_fraction_0p2", 0.025, 0.1, 0.2),
    _band("pit_cvm", 250.0, 500.0, 1000.0),
    _band("pit_outlier_rate", 0.2, 0.4, 0.6),
    _band("pit_ks", 0.2, 0.4, 0.6),
    _band("pit_ad_ksamp", 1e3, 2e3, 4e3),
)
"""Bands of LSSTDESC/pz_data_challenge (2026), for its test sets of 20,000 objects: CvM and ksamp grow with them."""

CHALLENGE_TIME_BANDS = (_band("estimate_ms", 1.0, 5.0, 20.0), _band("train_s", 60.0, 300.0, 1800.0))
"""Bands of the challenge's plots of time, which do not enter its score."""


@dataclass(frozen=True)
class ChallengeScore:
    """Score of one result file (task set, simulation, scenario).

    Parameters
    ----------
    points : dict of str to int
        By our name of the metric.
    possible : int
        Most points there could be.
    missing : tuple of str
        Metrics without a value, which score 0.
    """

    points: dict[str, int]
    possible: int
    missing: tuple[str, ...] = ()

    @property
    def total(self) -> int:
        """Sum of the points."""
        return sum(self.points.values())

    @property
    def fraction(self) -> float:
        """Share of the possible points."""
        return self.total / self.possible


def challenge_scores(
    values: Mapping[str, float], *, bands: Sequence[ChallengeBand] = CHALLENGE_BANDS
) -> ChallengeScore:
    """Score as on the leaderboard of the DESC p(z) challenge.

    Parameters
    ----------
    values : mapping of str to float
        By our name or theirs. A metric that is missing or NaN scores 0: a failure must not look like a blank.
    bands : sequence of ChallengeBand

    Returns
    -------
    ChallengeScore
    """
    taken = {band.metric: float(values.get(band.metric, values.get(band.name, math.nan))) for band in bands}
    return ChallengeScore(
        points={band.metric: band.score(taken[band.metric]) for band in bands},
        possible=sum(len(band.bands) for band in bands),
        missing=tuple(name for name, value in taken.items() if math.isnan(value)),
    )
