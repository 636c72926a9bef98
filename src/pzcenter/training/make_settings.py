"""Settings of a training set: what it is made of, and how."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from pzcenter.training.select import SelectionConfig
from pzcenter.training.settings_files import read_settings
from pzcenter.training.split import DEFAULT_FRACTIONS

if TYPE_CHECKING:
    import os

__all__ = [
    "CoverageConfig",
    "MatchConfig",
    "SplitConfig",
    "SubsampleConfig",
    "TrainingConfig",
    "read_training_config",
]


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class MatchConfig(_Settings):
    """How redshifts and objects are matched."""

    radius_arcsec: Annotated[float, Field(gt=0, le=60, title="largest distance", description="arcsec")] = 0.75
    mode: Annotated[Literal["nearest", "k", "all"], Field(title="which objects within it")] = "nearest"
    k: Annotated[int, Field(ge=1, title="for mode k")] = 1
    one_to_one: Annotated[bool, Field(title="no object has two redshifts of different groups")] = False
    likelihood_ratio: Annotated[bool, Field(title="rank by distance and magnitude, not by distance alone")] = False
    magnitude: Annotated[str | None, Field(title="column of magnitudes, for likelihood ratios")] = None
    flux: Annotated[str | None, Field(title="column of fluxes in nJy, in place of magnitudes")] = None
    sigma_arcsec: Annotated[
        float | None, Field(gt=0, title="error of a coordinate; measured by default", description="arcsec")
    ] = None
    min_reliability: Annotated[float, Field(ge=0, le=1, title="least reliability, with likelihood ratios")] = 0.0

    @model_validator(mode="after")
    def _go_together(self) -> Self:
        if self.likelihood_ratio and not (self.magnitude or self.flux):
            raise ValueError("likelihood_ratio needs a column of the objects: name the magnitude or the flux")
        if self.magnitude and self.flux:
            raise ValueError("name the magnitude or the flux, not both")
        if self.min_reliability > 0 and not self.likelihood_ratio:
            raise ValueError("min_reliability needs likelihood_ratio: true")
        if self.k != 1 and self.mode != "k":
            raise ValueError(f"k is {self.k}, and only mode: k takes several objects")
        return self


class SplitConfig(_Settings):
    """How the rows are split."""

    fractions: Annotated[dict[str, float], Field(title="share of each sample")] = DEFAULT_FRACTIONS
    seed: Annotated[int, Field(ge=0, title="of the draw")] = 0
    method: Annotated[Literal["random", "stratified", "blocks"], Field(title="how galaxies are drawn")] = "random"
    group: Annotated[str, Field(title="rows that stay together: galaxy, or a column")] = "galaxy"
    strata: Annotated[dict[str, float] | None, Field(title="for stratified: widths of bins")] = None
    block_order: Annotated[int, Field(ge=0, le=12, title="for blocks: HEALPix order")] = 6

    @model_validator(mode="after")
    def _go_together(self) -> Self:
        if self.strata is not None and self.method != "stratified":
            raise ValueError(f"strata are given, and the method is {self.method}, not stratified")
        return self


class SubsampleConfig(_Settings):
    """One method that thins out or weights."""

    method: str
    seed: Annotated[int, Field(ge=0)] = 0
    settings: dict[str, Any] = {}


class CoverageConfig(_Settings):
    """How well the training sample covers its target."""

    target: Annotated[str | None, Field(title="catalogue to be estimated; the objects by default")] = None
    mapping: Annotated[str | None, Field(title="of the target's columns")] = None
    n_max: Annotated[int, Field(gt=0, title="most target objects; drawn partition by partition")] = 1_000_000
    bands: Annotated[tuple[str, ...] | None, Field(title="bands to compare; those in common by default")] = None


class TrainingConfig(_Settings):
    """A training set."""

    redshifts: Annotated[str, Field(title="product of 'pz specz combine', or a table of that form")]
    objects: Annotated[str, Field(title="object catalogue: a file, a directory or HATS")]
    mapping: Annotated[str | None, Field(title="what the columns of the objects mean; found by default")] = None
    deredden: Annotated[bool, Field(title="take Galactic extinction out")] = True
    match: MatchConfig = MatchConfig()
    selection: SelectionConfig = SelectionConfig(min_z_flag=3, no_ties=True, no_repeats=True, z_min=1e-4)
    split: SplitConfig = SplitConfig()
    subsample: tuple[SubsampleConfig, ...] = ()
    coverage: CoverageConfig | None = CoverageConfig()


def read_training_config(path: str | os.PathLike[str]) -> TrainingConfig:
    """Read a file of settings.

    Raises
    ------
    NotFoundError
        There is no such file.
    ConfigError
        A setting is unknown or not accepted; all of them are named.
    """
    return read_settings(path, TrainingConfig, written_by="pz training init", others={"sources": "pz specz combine"})
