"""What standard sets are made of: the source, the split, and the variants with their selections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from pzcenter.errors import ConfigError, FileFormatError, NotFoundError
from pzcenter.training.make import SplitConfig, SubsampleConfig
from pzcenter.training.select import SelectionConfig
from pzcenter.validation.challenges.settings import Name  # noqa: TC001 - pydantic reads it at run time

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["SimulatedSource", "SourceSettings", "StandardSetSettings", "VariantSettings", "read_set_settings"]

_MODEL = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
SAMPLES = ("train", "validation", "test")


class SimulatedSource(BaseModel):
    """A sky to be simulated."""

    model_config = _MODEL

    n_obj: int = Field(title="Objects", description="Of the sky, stars included.", ge=100)
    seed: int = Field(default=1, title="Seed", description="Of the sky.", ge=0)
    settings: dict[str, Any] = Field(
        default_factory=dict, title="Settings", description="Of 'pz simulate', such as years or blend_fraction."
    )


class SourceSettings(BaseModel):
    """Where objects and redshifts come from: one of the three."""

    model_config = _MODEL

    simulate: SimulatedSource | None = Field(default=None, title="Simulation", description="Made for this.")
    sky: str | None = Field(default=None, title="Sky", description="Directory that 'pz simulate' made.")
    training_set: str | None = Field(
        default=None, title="Training set", description="Directory that 'pz training make' made."
    )

    @model_validator(mode="after")
    def _is_one(self) -> SourceSettings:
        given = [name for name in type(self).model_fields if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"a source is one of simulate, sky, training_set; got {given or 'none'}")
        return self

    @property
    def is_simulated(self) -> bool:
        """Whether there is a truth for every object."""
        return self.training_set is None


class VariantSettings(BaseModel):
    """One set: the test sample is that of all, training and validation samples are selected further."""

    model_config = _MODEL

    name: Name = Field(title="Name", description="Of the directory.")
    title: str = Field(default="", title="Title", description="In words.")
    selection: SelectionConfig = Field(
        default_factory=lambda: SelectionConfig(no_stars=False),
        title="Selection",
        description="Of training and validation; without any the set is representative of the test sample.",
    )
    redshifts: Literal["truth", "surveys"] = Field(
        default="truth",
        title="Redshifts",
        description="Of a simulation: true for all, or those of its redshift surveys, which choose and sometimes err.",
    )
    n_train: int | None = Field(default=None, title="Size", description="Most training objects.", ge=1)
    subsample: tuple[SubsampleConfig, ...] = Field(
        default=(), title="Subsampling", description="Methods of training sets, with the test sample as the target."
    )

    @field_validator("selection", mode="before")
    @classmethod
    def _without_stars(cls, value: Any) -> Any:
        return _star_default(value)

    @property
    def is_representative(self) -> bool:
        """Whether training objects are chosen as those of the test sample are."""
        return self.redshifts == "truth" and not self.subsample and self.selection == SelectionConfig(no_stars=False)


class StandardSetSettings(BaseModel):
    """Standard sets of one source."""

    model_config = _MODEL

    name: Name = Field(title="Name", description="Of the sets.")
    title: str = Field(default="", title="Title", description="In words.")
    source: SourceSettings = Field(title="Source", description="Simulation or training set.")
    selection: SelectionConfig = Field(
        default_factory=lambda: SelectionConfig(no_stars=False),
        title="Selection",
        description="Of all samples, the test sample included.",
    )
    split: SplitConfig = Field(
        default_factory=SplitConfig,
        title="Split",
        description="Shares of train, validation and test, seed and method, as in 'pz training make'.",
    )
    keep_split: bool = Field(
        default=False, title="Keep", description="Take the samples that the training set is split into already."
    )
    variants: tuple[VariantSettings, ...] = Field(
        default=(VariantSettings(name="representative"),),
        title="Variants",
        description="One directory each.",
        min_length=1,
    )

    @field_validator("selection", mode="before")
    @classmethod
    def _without_stars(cls, value: Any) -> Any:
        return _star_default(value)

    @model_validator(mode="after")
    def _fits(self) -> StandardSetSettings:
        names = [variant.name.casefold() for variant in self.variants]
        if len(set(names)) != len(names):
            raise ValueError(f"each variant needs a name of its own; got {[variant.name for variant in self.variants]}")
        odd = sorted(set(self.split.fractions) - set(SAMPLES))
        if odd or not {"train", "test"} <= set(self.split.fractions):
            raise ValueError(
                f"samples are train, test and, if wanted, validation; got {', '.join(self.split.fractions)}"
            )
        if not self.source.is_simulated and any(variant.redshifts != "truth" for variant in self.variants):
            raise ValueError("redshifts: surveys is for simulations; a training set has the redshifts of its surveys")
        if self.keep_split and self.source.is_simulated:
            raise ValueError("keep_split is for training sets; a simulated sky is not split")
        return self


def _star_default(value: Any) -> Any:
    """Stars of a simulation have no redshift and go for that; the cut by flags is for training sets that have them."""
    return {"no_stars": False, **value} if isinstance(value, dict) else value


def read_set_settings(path: Path) -> StandardSetSettings:
    """Read the YAML file of standard sets.

    Parameters
    ----------
    path : Path

    Returns
    -------
    StandardSetSettings

    Raises
    ------
    NotFoundError
        There is no such file.
    FileFormatError
        It is no YAML.
    ConfigError
        A setting is unknown, or its value is not accepted.
    """
    if not path.is_file():
        raise NotFoundError(f"there is no file {path}")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise FileFormatError(f"{path} is no YAML: {error}") from error
    try:
        return StandardSetSettings.model_validate(content)
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, fault['loc'])) or 'file'}: {fault['msg']}" for fault in error.errors()]
        raise ConfigError(f"{path}: {'; '.join(faults)}") from error
