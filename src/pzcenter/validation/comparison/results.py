"""What a comparison gives: one result for each method, one failure for each submission that could not be scored."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pzcenter.validation.verdicts import ChallengeScore, challenge_scores

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pzcenter.validation.ranking import Ranking
    from pzcenter.validation.table import MetricTable

    from .settings import ComparisonSettings
    from .truth import TrainingSet, TruthSet

__all__ = ["Comparison", "Failure", "MethodFacts", "MethodResult"]


@dataclass(frozen=True)
class Failure:
    """A submission that could not be scored; the others are not touched by it.

    Parameters
    ----------
    name, path : str
    code : str
        Of the error.
    message : str
        With the file, and the row where there is one.
    """

    name: str
    path: str
    code: str
    message: str


@dataclass(frozen=True)
class MethodFacts:
    """Who handed in what.

    Parameters
    ----------
    name : str
        Short and unique in a comparison.
    kind : {"submission", "control"}
    path : str
        Empty for controls.
    author, method, description : str
    form : str
        How the densities were given.
    point : str
        What ``z_best`` is.
    n_rows : int
        Of the submission.
    n_matched, n_missing, n_extra, n_duplicate : int
        Ids beside those of the truth set.
    sentences : tuple of str
        What was missing, mended or counted when it was read.
    """

    name: str
    kind: str
    path: str = ""
    author: str = ""
    method: str = ""
    description: str = ""
    form: str = ""
    point: str = ""
    n_rows: int = 0
    n_matched: int = 0
    n_missing: int = 0
    n_extra: int = 0
    n_duplicate: int = 0
    sentences: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class MethodResult:
    """One method, scored.

    Parameters
    ----------
    facts : MethodFacts
    table : MetricTable
        All metrics with their errors, and the verdicts.
    n_obj, n_no_estimate : int
        Objects scored; objects of the truth set that it has without an estimate.
    n_truth : int
        Of the truth set.
    has_pdf : bool
    directory : Path
        Where its files are.
    key : str
        Checksum of all that its numbers follow from.
    is_resumed : bool
        Whether the numbers are those of an earlier run.
    """

    facts: MethodFacts
    table: MetricTable
    n_obj: int
    n_no_estimate: int
    n_truth: int
    has_pdf: bool
    directory: Path
    key: str
    is_resumed: bool = False

    @property
    def name(self) -> str:
        """Of the method."""
        return self.facts.name

    @property
    def is_control(self) -> bool:
        """Whether it is one of the controls."""
        return self.facts.kind == "control"

    @property
    def coverage(self) -> float:
        """Share of the truth set that was scored, in [0, 1]."""
        return self.n_obj / self.n_truth

    @property
    def challenge(self) -> ChallengeScore:
        """Points of the DESC p(z) challenge, 0 to 3 for each metric."""
        values = {row.metric: row.value for row in self.table.select(axis="all") if row.point in ("z_best", "pdf")}
        return challenge_scores(values)


@dataclass(frozen=True, eq=False)
class Comparison:
    """Many methods on one truth set.

    Parameters
    ----------
    settings : ComparisonSettings
    truth : TruthSet
    training : TrainingSet or None
    methods : tuple of MethodResult
        Submissions in the order given, then the controls.
    failures : tuple of Failure
    rankings : tuple of Ranking
        One for each metric that methods are ranked by; empty where fewer than two can be.
    n_common : int
        Objects that all ranked methods have.
    unranked : dict of str to str
        Methods that are not ranked, with the reason.
    common_tables : dict of str to MetricTable
        Metrics of the common objects by method; empty where all methods have the same objects.
    notes : tuple of str
        What a reader must know of the whole.
    directory : Path
    command : str
        What rebuilds it.
    record : mapping
        Provenance record: inputs with checksums, versions.
    """

    settings: ComparisonSettings
    truth: TruthSet
    training: TrainingSet | None
    methods: tuple[MethodResult, ...]
    failures: tuple[Failure, ...]
    rankings: tuple[Ranking, ...]
    n_common: int
    unranked: dict[str, str]
    common_tables: dict[str, MetricTable]
    notes: tuple[str, ...]
    directory: Path
    command: str = ""
    record: Mapping[str, Any] = field(default_factory=dict)

    @property
    def submissions(self) -> tuple[MethodResult, ...]:
        """Methods that are no controls."""
        return tuple(method for method in self.methods if not method.is_control)

    @property
    def controls(self) -> tuple[MethodResult, ...]:
        """The controls."""
        return tuple(method for method in self.methods if method.is_control)

    @property
    def paths(self) -> dict[str, Path]:
        """The files that a person opens first, by what they are."""
        names = {
            "comparison": "comparison.html",
            "comparison, PDF": "comparison.pdf",
            "metrics": "metrics.parquet",
            "metrics, JSON": "metrics.json",
            "manifest": "manifest.json",
        }
        found = {what: self.directory / name for what, name in names.items()}
        found |= {f"report of {method.name}": method.directory / "report.html" for method in self.methods}
        return {what: path for what, path in found.items() if path.exists()}
