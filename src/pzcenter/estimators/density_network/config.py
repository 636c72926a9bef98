"""Settings of the density networks."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from pzcenter.estimators.protocol import EstimatorConfig

__all__ = ["DensityNetworkConfig"]

Positive = Annotated[float, Field(gt=0)]


class DensityNetworkConfig(EstimatorConfig):
    """Settings of the density networks."""

    speed: Literal["accurate", "fast"] = Field(
        default="accurate",
        title="Speed",
        description="accurate: networks on the photometry and networks on photometry and template fit, together; "
        "fast: those on the photometry alone, four times as fast, without the templates outside the domain.",
    )
    templates: Literal["calibrated", "published", "none"] = Field(
        default="calibrated",
        title="Templates",
        description="Of the fit whose p(z) is a feature, and of the shifts in redshift that the training sees: "
        "calibrated on the training set, as published, or none.",
    )
    filters: dict[str, str] | str = Field(
        default="lsst",
        min_length=1,
        title="Filters",
        description="Of the templates: filter name or file of each band, or a survey such as lsst or dc2. Bands "
        "without a filter are seen by the networks only.",
    )
    n_member: int | None = Field(
        default=None,
        ge=2,
        le=20,
        title="Members",
        description="Networks of each kind; each leaves out another part of the training set, on which it is "
        "calibrated. 6 when not given, 4 for fast.",
    )
    n_hidden: int = Field(default=128, ge=8, le=1024, multiple_of=4, title="Hidden units", description="Of each layer.")
    n_layer: int | None = Field(
        default=None, ge=1, le=6, title="Layers", description="Hidden layers. 3 when not given, 2 for fast."
    )
    n_samples_seen: int = Field(
        default=3_000_000,
        ge=1000,
        le=10**9,
        title="Objects seen",
        description="By each network during training, repeated as often as needed: training takes as long for 10⁶ "
        "objects as for 10⁴.",
    )
    max_epochs: int = Field(
        default=300, ge=1, le=10_000, title="Most repetitions", description="Of each training object."
    )
    batch_size: int = Field(default=256, ge=8, le=65_536, title="Batch", description="Objects in each step.")
    learning_rate: float = Field(default=3e-3, gt=0, le=1, title="Learning rate", description="Highest, of AdamW.")
    weight_decay: float = Field(default=0.01, ge=0, le=10, title="Weight decay", description="Of AdamW.")
    cde_weight: float = Field(
        default=0.05,
        ge=0,
        le=10,
        title="Weight of the CDE loss",
        description="Beside the log score, in what is minimised.",
    )
    resolution: float = Field(
        default=0.014, gt=0.001, le=0.2, title="Resolution", description="Distance of the bumps in ln(1 + z)."
    )
    shift: float = Field(
        default=0.03,
        ge=0,
        le=0.3,
        title="Shift in redshift",
        description="Standard deviation, fraction of 1 + z, by which training objects are moved, their colours with "
        "the best templates.",
    )
    extra_noise: float = Field(
        default=0.5, ge=0, le=10, title="Extra noise", description="Largest noise added, in units of the errors."
    )
    target_flux_err: dict[str, Positive] = Field(
        default={},
        title="Errors of the target",
        description="Median flux error of the objects that will be estimated, nJy, in each band. Copies of the "
        "training objects get noise up to this.",
    )
    lost_bands: float = Field(
        default=0.05,
        ge=0,
        le=1,
        title="Lost bands",
        description="Fraction of the training objects that lose bands at random, so that missing bands are known.",
    )
    softening: float = Field(
        default=1.0,
        gt=0,
        le=100,
        title="Softening of the asinh magnitudes",
        description="In units of the median flux error of the training set in the band.",
    )
    domain_threshold: float = Field(
        default=0.1,
        ge=0,
        le=1,
        title="Edge of the domain",
        description="Objects whose in_train_domain is below this are flagged outside_domain.",
    )
    seed: int = Field(default=1, ge=0, le=2**31 - 1, title="Seed", description="Of weights, noise and shifts.")

    @property
    def layers(self) -> int:
        """Hidden layers."""
        return self.n_layer or (2 if self.speed == "fast" else 3)

    @property
    def members(self) -> int:
        """Networks of each kind."""
        return self.n_member or (4 if self.speed == "fast" else 6)
