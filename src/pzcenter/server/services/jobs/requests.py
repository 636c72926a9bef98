"""What users ask of a job, in the words of the existing server and in our own; checked before anything runs."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pzcenter.errors import ConfigError, NotFoundError
from pzcenter.training.make_settings import CoverageConfig, MatchConfig, SplitConfig, SubsampleConfig
from pzcenter.training.select import SelectionConfig

__all__ = ["PIPELINES", "SCORING", "CombineRequest", "JobRequest", "TrainingRequest", "read_request"]

Format = Literal["parquet", "csv", "fits", "hdf5", "votable"]
MODES: dict[str, Literal["concatenate", "mark", "remove"]] = {
    "concatenate": "concatenate",
    "concatenate_and_mark_duplicates": "mark",
    "concatenate_and_remove_duplicates": "remove",
    "mark": "mark",
    "remove": "remove",
}
TIES: dict[str, Literal["remove", "keep", "draw"]] = {
    "remove_all": "remove", "keep_all": "keep", "draw_one": "draw", "remove": "remove", "keep": "keep", "draw": "draw",
}  # fmt: skip
MAX_INPUTS = 50


class _Words(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class CombineParam(_Words):
    """How redshift catalogues are combined."""

    combine_type: str = Field(default="concatenate_and_mark_duplicates", description=" | ".join(MODES))
    radius_arcsec: float = Field(default=0.5, gt=0, le=60)
    max_diameter_arcsec: float | None = Field(default=None, gt=0, le=600)
    delta_z_threshold: float = Field(default=0.001, ge=0, le=10)
    z_flag_homogenized_value_to_cut: float | None = Field(default=None, description="1 to 4 cut; others do not.")
    tie_treatment_option: str = Field(default="remove_all", description=" | ".join(TIES))
    survey_priority: tuple[str, ...] = Field(default=(), max_length=200)
    seed: int = Field(default=0, ge=0)
    # Words of the existing server that change nothing here.
    extra_columns: dict[str, Any] = Field(default_factory=dict, max_length=100)
    insert_DP1_footprint_flag: bool = False  # noqa: N815 - a word of the existing server
    insert_rubin_footprint_flag: bool = False

    def settings(self) -> dict[str, Any]:
        """For :class:`pzcenter.training.CombineConfig`, without its sources."""
        cut = self.z_flag_homogenized_value_to_cut
        return {
            "mode": _one_of(MODES, "combine_type", self.combine_type),
            "ties": _one_of(TIES, "tie_treatment_option", self.tie_treatment_option),
            "radius_arcsec": self.radius_arcsec,
            "max_diameter_arcsec": self.max_diameter_arcsec,
            "delta_z": self.delta_z_threshold,
            "min_flag": int(cut) if cut is not None and 1 <= cut <= 4 else 0,
            "seed": self.seed,
            "survey_priority": list(self.survey_priority),
            "tie_break": ["z_flag", "z_type", *(["survey"] if self.survey_priority else [])],
        }


class CrossmatchParam(_Words):
    """Which objects belong to a redshift."""

    radius_arcsec: float = Field(default=1.0, gt=0, le=60)
    n_neighbors: int = Field(default=1, ge=1, le=100)


class TrainingParam(_Words):
    """How a training set is made."""

    crossmatch: CrossmatchParam = CrossmatchParam()
    dereddening: str | None = Field(default="sfd", max_length=64, description="'none' leaves extinction in.")
    split_method: Literal["random", "stratified", "blocks"] = "random"
    train_fraction: float = Field(default=0.7, gt=0, lt=1)
    random_seed: int | None = Field(default=None, ge=0)
    match: MatchConfig | None = Field(default=None, description="In place of crossmatch.")
    selection: SelectionConfig | None = None
    split: SplitConfig | None = Field(default=None, description="In place of the three words on the split.")
    subsample: tuple[SubsampleConfig, ...] = Field(default=(), max_length=10)
    coverage: bool = True
    # Words of the existing server that change nothing here.
    flux_type: str | None = Field(default=None, max_length=64)
    convert_flux_to_mag: bool = False
    use_absolute_lsdb_path: bool = False
    selected_cols: tuple[str, ...] = Field(default=(), max_length=1000)
    duplicate_criteria: str | None = Field(default=None, max_length=64)

    def settings(self) -> dict[str, Any]:
        """For :class:`pzcenter.training.TrainingConfig`, without its files."""
        near = self.crossmatch
        match = self.match or MatchConfig(
            radius_arcsec=near.radius_arcsec, mode="nearest" if near.n_neighbors == 1 else "k", k=near.n_neighbors
        )
        split = self.split or SplitConfig(
            fractions={"train": self.train_fraction, "test": 1.0 - self.train_fraction},
            seed=self.random_seed or 0, method=self.split_method,
        )  # fmt: skip
        selection = self.selection or SelectionConfig(no_ties=True, no_repeats=True)
        return {
            "match": match.model_dump(mode="json"),
            "split": split.model_dump(mode="json"),
            "selection": selection.model_dump(mode="json"),
            "subsample": [each.model_dump(mode="json") for each in self.subsample],
            "coverage": CoverageConfig().model_dump(mode="json") if self.coverage else None,
            "deredden": (self.dereddening or "none").lower() != "none",
        }


class CombineRequest(_Words):
    """All that is said of a job that combines redshift catalogues."""

    param: CombineParam = CombineParam()
    output_format: Format | None = None
    rules: dict[str, Any] | None = Field(default=None, description="A survey of one's own, as in a survey file.")


class TrainingRequest(_Words):
    """All that is said of a job that makes a training set."""

    param: TrainingParam = TrainingParam()
    output_format: Format | None = None


JobRequest = CombineRequest | TrainingRequest
PIPELINES: dict[str, type[CombineRequest | TrainingRequest]] = {
    "combine_redshift_dedup": CombineRequest,
    "training_set_maker": TrainingRequest,
}
"""What can be asked for, by name of the pipeline."""
SCORING = "score_challenge"
"""What only coordinators start, by way of a challenge."""


def read_request(pipeline: str, config: dict[str, Any]) -> JobRequest:
    """Check what a user asks for.

    Parameters
    ----------
    pipeline : str
    config : dict
        As a client sends it; unknown words, and those about machines and paths, are refused.

    Returns
    -------
    CombineRequest or TrainingRequest

    Raises
    ------
    NotFoundError
        No such pipeline.
    ConfigError
        Words that are not known or values that are not accepted; all of them are named.
    """
    if pipeline not in PIPELINES:
        raise NotFoundError(f"no pipeline {pipeline!r}; there are {', '.join(PIPELINES)}")
    plain = {name: value for name, value in config.items() if value is not None}
    try:
        request = PIPELINES[pipeline].model_validate(plain)
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
        inside = PIPELINES[pipeline].model_fields["param"].annotation
        misplaced = sorted(set(plain) & set(getattr(inside, "model_fields", {})))
        hint = (
            f'; {", ".join(misplaced)} stands below param: {{"param": {{"{misplaced[0]}": ...}}}}' if misplaced else ""
        )
        raise ConfigError(f"the settings of {pipeline} are not accepted: {faults}{hint}") from error
    request.param.settings()
    return request


def _one_of(words: dict[str, Any], name: str, value: str) -> Any:
    if value not in words:
        raise ConfigError(f"{name}={value!r} is not accepted; accepted are {', '.join(words)}")
    return words[value]
