"""What a comparison is made of, as one YAML file or as arguments: truth, submissions, bins, requirements."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator

from pzcenter.errors import ConfigError, NotFoundError
from pzcenter.validation.control import CONTROLS
from pzcenter.validation.metric_suite_info import SUITE
from pzcenter.validation.ranking import RANKED_METRICS
from pzcenter.validation.submissions import FORMATS
from pzcenter.validation.verdicts import LINES

__all__ = [
    "LINE_NAMES",
    "BinSettings",
    "ComparisonSettings",
    "OwnRequirement",
    "SubmissionSettings",
    "TechnicalSettings",
    "checked_settings",
    "load_comparison_settings",
]

LINE_NAMES = tuple(dict.fromkeys(line.selection.name for line in LINES))
"""Groups of requirement lines that a page can show."""
RANKED_BY = ("sigma_nmad", "bias", "outlier_fraction", "cde_loss", "crps", "pit_ks")
POINT_METRICS = tuple(name for name, info in SUITE.items() if info.family in ("point", "pdf"))


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TechnicalSettings(_Settings):
    """What a method cost, as its author says."""

    train_s: float | None = Field(default=None, ge=0, title="Training, processor seconds")
    estimate_s: float | None = Field(default=None, ge=0, title="Estimation of all objects, processor seconds")
    peak_gb: float | None = Field(default=None, ge=0, title="Largest memory, GB")
    model_mb: float | None = Field(default=None, ge=0, title="Size of the trained model, MB")


class SubmissionSettings(_Settings):
    """One submission, or a directory or archive of several."""

    path: str = Field(title="File, directory or archive")
    name: str | None = Field(default=None, title="Of the method", description="By default that of the file.")
    author: str = Field(default="", title="Who hands it in")
    method: str = Field(default="", title="Method and version")
    description: str = Field(
        default="", title="In the participant's words", description="By default what the file says."
    )
    format: str | None = Field(
        default=None, title="One of the formats", description="Found from the content by default."
    )
    ids: str | None = Field(default=None, title="File of ids in the order of the rows, for files without")
    z_grid: tuple[float, float, int] | None = Field(
        default=None, title="First, last redshift and number of points", description="Its own by default."
    )
    bad_rows: Literal["error", "count"] = Field(
        default="error",
        title="What a density in error does",
        description="error: the submission fails with file and row; count: the object counts as without estimate.",
    )
    technical: TechnicalSettings = Field(default=TechnicalSettings(), title="What it cost")

    @field_validator("format")
    @classmethod
    def _format_is_known(cls, value: str | None) -> str | None:
        if value is not None and value not in FORMATS:
            raise ValueError(f"accepted are {', '.join(FORMATS)}")
        return value


class BinSettings(_Settings):
    """Edges of bins; those that are not given are chosen from the truth set."""

    z_spec: tuple[float, ...] | None = Field(default=None, title="Edges in the true redshift")
    mag: tuple[float, ...] | None = Field(default=None, title="Edges in magnitude")
    tomographic: dict[str, tuple[float, ...]] = Field(
        default_factory=dict, title="Edges in z_best by name, multiples of 0.01; beside those of the DESC SRD"
    )


class OwnRequirement(_Settings):
    """A line of one's own."""

    metric: str = Field(title="Name of a metric of points or of p(z)")
    limit: float = Field(gt=0, title="Its absolute value must stay below this")
    words: str = Field(default="", title="In words")
    title: str = Field(default="own requirement", title="Who asks for it")
    z_min: float = Field(default=-math.inf, title="Redshifts above this")
    z_max: float = Field(default=math.inf, title="and below this")
    mag_max: float = Field(default=math.inf, title="Brighter than this")

    @field_validator("metric")
    @classmethod
    def _metric_is_known(cls, value: str) -> str:
        if value not in POINT_METRICS:
            raise ValueError(f"accepted are {', '.join(POINT_METRICS)}")
        return value


class ComparisonSettings(_Settings):
    """All that decides the numbers and pages of a comparison."""

    truth: str = Field(title="Table with object ids and true redshifts")
    submissions: tuple[SubmissionSettings, ...] = Field(min_length=1, title="What was handed in")
    title: str = Field(default="Comparison of photometric redshifts", title="Of the page")
    photometry: str | None = Field(
        default=None, title="Object table of the same objects", description="By default the truth table itself."
    )
    training: str | None = Field(
        default=None,
        title="Training set",
        description="Objects with redshifts; or a table of ids and redshifts, whose photometry is in the object table. "
        "The controls are trained on it, and its objects are left out of the test.",
    )
    mapping: str | None = Field(
        default=None, title="Of the columns of the object table", description="Found by default."
    )
    mag_band: str = Field(default="i", title="Band of the magnitudes")
    mag_max: float = Field(default=math.inf, title="Test only objects brighter than this")
    controls: tuple[str, ...] = Field(default=CONTROLS, title="Methods that are trained and run beside the submissions")
    point: Literal["submitted", "from_pdf"] = Field(
        default="submitted",
        title="What z_best is",
        description="submitted: the participant's own point estimate where there is one; from_pdf: always the redshift "
        "of least risk of its p(z).",
    )
    bins: BinSettings = Field(default=BinSettings(), title="Edges of bins")
    lines: tuple[str, ...] = Field(default=LINE_NAMES, title="Groups of requirement lines")
    requirements: tuple[OwnRequirement, ...] = Field(default=(), title="Lines of one's own")
    rank_by: tuple[str, ...] = Field(default=RANKED_BY, title="Metrics by which methods are ranked")
    min_coverage: float = Field(
        default=0.05,
        ge=0,
        le=1,
        title="Least share of the truth set that a method must have to be ranked",
        description="The ranks are on the objects that all ranked methods have.",
    )
    n_bootstrap: int = Field(default=100, ge=0, title="Resamples for the errors")
    n_rank_bootstrap: int = Field(default=400, ge=10, title="Resamples for the ranks")
    seed: int = Field(default=0, ge=0, title="Of the resampling")

    @field_validator("submissions", mode="before")
    @classmethod
    def _path_alone(cls, value: Any) -> Any:
        """Take a path alone for a submission with nothing but a path."""
        return (
            [{"path": each} if isinstance(each, str) else each for each in value] if isinstance(value, list) else value
        )

    @field_validator("lines")
    @classmethod
    def _lines_are_known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if unknown := [name for name in value if name not in LINE_NAMES]:
            raise ValueError(f"unknown {unknown}; accepted are {', '.join(LINE_NAMES)}")
        return value

    @field_validator("rank_by")
    @classmethod
    def _metrics_are_ranked_by(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if unknown := [name for name in value if name not in RANKED_METRICS]:
            raise ValueError(f"unknown {unknown}; accepted are {', '.join(RANKED_METRICS)}")
        return value

    def in_directory(self, directory: Path) -> Self:
        """The same with paths that are seen from ``directory``."""

        def moved(path: str | None) -> str | None:
            return path if path is None or Path(path).is_absolute() else str(directory / path)

        entries = tuple(
            each.model_copy(update={"path": moved(each.path), "ids": moved(each.ids)}) for each in self.submissions
        )
        paths = {name: moved(getattr(self, name)) for name in ("truth", "photometry", "training")}
        return self.model_copy(update={**paths, "submissions": entries})


def checked_settings(content: Any, where: str) -> ComparisonSettings:
    """Settings from plain values.

    Raises
    ------
    ConfigError
        A setting is unknown, missing, or its value is not accepted; the message names all of them.
    """
    from pydantic import ValidationError

    try:
        return ComparisonSettings.model_validate(content)
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']} (got {fault['input']!r})"
            for fault in error.errors()
        )
        known = ", ".join(ComparisonSettings.model_fields)
        raise ConfigError(f"{where}: {faults}. Known settings: {known}") from None


def load_comparison_settings(path: str | Path) -> ComparisonSettings:
    """Read the YAML file of a comparison; its paths are seen from its own directory.

    Parameters
    ----------
    path : path

    Returns
    -------
    ComparisonSettings

    Raises
    ------
    NotFoundError
        There is no such file.
    ConfigError
        It is not YAML, or a setting is not accepted.
    """
    import yaml

    path = Path(path)
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise NotFoundError(f"cannot read the settings {path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not YAML: {error}") from error
    return checked_settings(content, str(path)).in_directory(path.parent)
