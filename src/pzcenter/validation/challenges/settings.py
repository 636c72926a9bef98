"""What an organiser writes into ``challenge.yaml``: the scenarios, how they are scored, the dates and the rules."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from pzcenter.errors import ConfigError, FileFormatError, NotFoundError
from pzcenter.validation.metric_suite_info import SUITE
from pzcenter.validation.ranking import RANKED_METRICS
from pzcenter.validation.verdicts import CHALLENGE_BANDS, ChallengeBand

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "BandSettings",
    "ChallengeSettings",
    "RuleSettings",
    "ScenarioSettings",
    "ScoringSettings",
    "read_settings",
    "settings_text",
]

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
OVERALL = "overall"
"""Of the leaderboard: no scenario may be called so."""
_MODEL = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def _name(text: str) -> str:
    if not NAME.fullmatch(text):
        raise ValueError(f"{text!r} is no name: accepted are letters, digits, '_', '.' and '-', at most 64 of them")
    return text


def _aware(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment


Name = Annotated[str, AfterValidator(_name)]
Moment = Annotated[datetime | None, AfterValidator(_aware)]


class BandSettings(BaseModel):
    """Nested bands of one metric: a point for each that holds the value, so 0 to 3 for three."""

    model_config = _MODEL

    metric: str = Field(title="Metric", description="Name of a metric of the suite.")
    limits: tuple[float, ...] = Field(
        title="Limits", description="Upper ends, from the narrowest band; unit of the metric.", min_length=1
    )
    symmetric: bool = Field(
        default=False, title="Symmetric", description="Bands reach from -limit to limit; else they have no lower end."
    )

    @model_validator(mode="after")
    def _can_be_met(self) -> BandSettings:
        if self.metric not in SUITE:
            raise ValueError(f"no metric is called {self.metric!r}; known: {', '.join(SUITE)}")
        if any(limit <= 0 for limit in self.limits) or list(self.limits) != sorted(set(self.limits)):
            raise ValueError(f"limits of {self.metric} must be positive and increase; got {list(self.limits)}")
        return self

    @property
    def band(self) -> ChallengeBand:
        """The bands as the scoring takes them."""
        name = SUITE[self.metric].challenge_name or self.metric
        ends = tuple((-limit if self.symmetric else -math.inf, limit) for limit in self.limits)
        return ChallengeBand(self.metric, name, ends)


def _desc_bands() -> tuple[BandSettings, ...]:
    """Bands of the DESC p(z) challenge, without its lower ends at 0: a perfect ``pit_ad_ksamp`` is below 0."""
    return tuple(
        BandSettings(metric=band.metric, limits=tuple(high for _, high in band.bands), symmetric=band.bands[0][0] < 0.0)
        for band in CHALLENGE_BANDS
    )


class ScoringSettings(BaseModel):
    """How submissions are scored. What is changed here gives scores of their own, kept beside those of before."""

    model_config = _MODEL

    metrics: tuple[str, ...] = Field(
        default=(
            "biweight_bias",
            "biweight_sigma",
            "outlier_fraction_0p2",
            "pit_ks",
            "pit_cvm",
            "pit_outlier_rate",
            "cde_loss",
            "crps",
        ),
        title="Metrics",
        description="Those in which methods are ranked.",
        min_length=1,
    )
    bands: tuple[BandSettings, ...] = Field(
        default_factory=_desc_bands,
        title="Bands",
        description="Points for metrics; by default those of the DESC p(z) challenge, made for 20,000 objects.",
        min_length=1,
    )
    controls: tuple[str, ...] = Field(
        default=("trainz", "neighbours"),
        title="Controls",
        description="Methods of 'pz methods' that are trained on each scenario and scored beside the submissions.",
    )
    mag_band: str = Field(default="i", title="Band", description="Of the magnitudes that metrics are functions of.")
    n_bootstrap: int = Field(default=100, title="Resamples", description="For the errors of the metrics.", ge=2)
    n_rank: int = Field(default=400, title="Resamples", description="For the errors of the ranks.", ge=10)
    n_sigma: float = Field(
        default=2.0, title="Significance", description="A difference counts above this many standard errors.", gt=0
    )
    seed: int = Field(default=0, title="Seed", description="Of the resampling.", ge=0)

    @model_validator(mode="after")
    def _is_known(self) -> ScoringSettings:
        unknown = [name for name in self.metrics if name not in RANKED_METRICS]
        if unknown:
            raise ValueError(f"methods cannot be ranked by {', '.join(unknown)}; accepted: {', '.join(RANKED_METRICS)}")
        for kind, names in (("metrics", self.metrics), ("bands", [band.metric for band in self.bands])):
            if len(set(names)) != len(names):
                raise ValueError(f"{kind}: each metric may be named once; got {list(names)}")
        return self


class ScenarioSettings(BaseModel):
    """One set of files: participants train on the first and estimate the last, whose redshifts they do not see."""

    model_config = _MODEL

    name: Name = Field(title="Name", description="Of the directory.")
    title: str = Field(default="", title="Title", description="In words.")
    description: str = Field(default="", title="Description", description="What participants should know.")
    set: str | None = Field(
        default=None,
        title="Standard set",
        description="Directory of 'pz challenge sets', or of a training set that is split; in place of the files.",
    )
    training: str | None = Field(default=None, title="Training", description="Table with z_spec.")
    validation: str | None = Field(default=None, title="Validation", description="Table with z_spec, if there is one.")
    test: str | None = Field(default=None, title="Test", description="Table with z_spec, which is withheld.")
    test_columns: tuple[str, ...] = Field(
        default=(), title="Columns", description="Further columns of the test set that participants may see."
    )
    training_columns: tuple[str, ...] = Field(
        default=(), title="Columns", description="Further columns of the training and validation sets."
    )

    @model_validator(mode="after")
    def _has_files(self) -> ScenarioSettings:
        if self.name == OVERALL:
            raise ValueError(f"no scenario may be called {OVERALL!r}: the leaderboard uses it")
        files = (self.training, self.test)
        if (self.set is None) == any(file is None for file in files) or (self.set and (any(files) or self.validation)):
            raise ValueError(f"scenario {self.name!r} needs 'training' and 'test', or 'set' in place of both")
        return self


class RuleSettings(BaseModel):
    """When and how participants may hand in."""

    model_config = _MODEL

    text: str = Field(default="", title="Rules", description="In words, for participants.")
    opens: Moment = Field(default=None, title="Opens", description="First moment, UTC where no zone is given.")
    closes: Moment = Field(default=None, title="Closes", description="Last moment.")
    max_per_author: int | None = Field(
        default=None, title="Submissions", description="Most that one author may hand in.", ge=1
    )
    min_estimates: float = Field(
        default=0.99,
        title="Estimates",
        description="Least share of the objects of a test set that must have an estimate: ranks are of objects that "
        "all methods have, so that leaving out what is hard must not pay.",
        gt=0,
        le=1,
    )
    max_mb: float = Field(default=20_000.0, title="Size", description="Of one file, 10^6 bytes.", gt=0)

    @model_validator(mode="after")
    def _has_time(self) -> RuleSettings:
        if self.opens is not None and self.closes is not None and self.opens >= self.closes:
            raise ValueError(f"opens {self.opens} is not before closes {self.closes}")
        return self


class ChallengeSettings(BaseModel):
    """A challenge."""

    model_config = _MODEL

    name: Name = Field(title="Name", description="Of the challenge.")
    version: Name = Field(default="1", title="Version", description="Goes up when a file for participants changes.")
    title: str = Field(default="", title="Title", description="In words.")
    description: str = Field(default="", title="Description", description="For participants.")
    contact: str = Field(default="", title="Contact", description="Who answers questions.")
    truth: str | None = Field(
        default=None,
        title="Truth",
        description="Directory of what is withheld; by default beside the challenge, with '.truth' after its name.",
    )
    scenarios: tuple[ScenarioSettings, ...] = Field(title="Scenarios", description="One or more.", min_length=1)
    scoring: ScoringSettings = Field(
        default_factory=ScoringSettings, title="Scoring", description="Metrics, bands, controls, resampling."
    )
    rules: RuleSettings = Field(default_factory=RuleSettings, title="Rules", description="Dates and limits.")

    @field_validator("scenarios")
    @classmethod
    def _names_differ(cls, scenarios: tuple[ScenarioSettings, ...]) -> tuple[ScenarioSettings, ...]:
        names = [scenario.name.casefold() for scenario in scenarios]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"each scenario needs a name of its own; twice there are {', '.join(twice)}")
        return scenarios

    @property
    def scenario_names(self) -> tuple[str, ...]:
        """Names of the scenarios, in their order."""
        return tuple(scenario.name for scenario in self.scenarios)

    def public(self) -> dict[str, Any]:
        """What participants may read: nothing of where the files came from, or where the truth is."""
        content = self.model_dump(mode="json", exclude={"truth"})
        kept = ("name", "title", "description")
        content["scenarios"] = [{key: scenario[key] for key in kept} for scenario in content["scenarios"]]
        return content


def read_settings(path: Path) -> ChallengeSettings:
    """Read ``challenge.yaml``.

    Parameters
    ----------
    path : Path

    Returns
    -------
    ChallengeSettings

    Raises
    ------
    NotFoundError
        There is no such file.
    FileFormatError
        It is no YAML.
    ConfigError
        A setting is unknown, or its value is not accepted; all of them are named.
    """
    if not path.is_file():
        raise NotFoundError(f"there is no file {path}; a challenge is described by one, see 'pz challenge create -h'")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise FileFormatError(f"{path} is no YAML: {error}") from error
    try:
        return ChallengeSettings.model_validate(content)
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, fault['loc'])) or 'file'}: {fault['msg']}" for fault in error.errors()]
        raise ConfigError(f"{path}: {'; '.join(faults)}") from error


def settings_text(content: dict[str, Any]) -> str:
    """Settings as YAML, in the order of their definition."""
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
