"""Settings of a simulated sky."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from pzcenter.simulation.spectroscopy import REALISTIC_SURVEYS, SpecSurvey

__all__ = ["SimulationConfig"]


class SimulationConfig(BaseModel):
    """What sky to make. Two skies of one configuration, seed and number of objects are the same byte for byte."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    years: float = Field(
        default=10.0, title="Years of survey", description="Depth of the coadds, years of LSST.", gt=0, le=20
    )
    ra: float = Field(
        default=150.0, title="Centre", description="Right ascension of the footprint's centre, deg.", ge=0, lt=360
    )
    dec: float = Field(
        default=-30.0, title="Centre", description="Declination of the footprint's centre, deg.", ge=-90, le=90
    )
    density: float | None = Field(
        default=None,
        title="Density",
        description="Objects per arcmin2, which sets the area; by default what the luminosity functions give.",
        gt=0,
    )
    rows_per_tract: int = Field(
        default=150_000,
        title="Objects in a tract",
        description="About so many in each file; a tract is a cell.",
        ge=100,
    )
    star_fraction: float = Field(
        default=0.08, title="Stars", description="Share of the objects that are stars.", ge=0, lt=1
    )
    z_max: float = Field(default=6.0, title="Highest redshift", description="Of galaxies.", gt=0.1, le=8)
    detection_snr: float = Field(
        default=5.0,
        title="Detection",
        description="Signal to noise of the i-band flux at which an object enters.",
        gt=0,
    )
    templates: str = Field(
        default="cosmos31", title="Templates", description="Template set that the galaxies are mixed from."
    )
    slope_scatter: float = Field(
        default=0.15,
        title="Slope scatter",
        description="Standard deviation of the change of spectral slope.",
        ge=0,
        le=1,
    )
    colour_scatter: float = Field(
        default=0.02, title="Colour scatter", description="Standard deviation of each true magnitude, mag.", ge=0, le=1
    )
    ebv_mean: float = Field(default=0.05, title="Dust", description="Typical Galactic E(B-V), mag.", ge=0, le=5)
    cluster_fraction: float = Field(
        default=0.15, title="Clustering", description="Share of the galaxies that lie in groups.", ge=0, le=1
    )
    four_band_fraction: float = Field(
        default=0.10,
        title="No u and y",
        description="Share of the footprint, at its eastern end, without u and y.",
        ge=0,
        le=1,
    )
    missing_band_fraction: float = Field(
        default=0.015,
        title="Missing bands",
        description="Probability that a measurement is missing, per band.",
        ge=0,
        le=1,
    )
    blend_fraction: float = Field(
        default=0.10, title="Blends", description="Share of the objects that hold light of a neighbour.", ge=0, le=1
    )
    not_primary_fraction: float = Field(
        default=0.02, title="Not primary", description="Share of rows that detect_isPrimary leaves out.", ge=0, le=1
    )
    spec_surveys: tuple[SpecSurvey, ...] = Field(
        default=REALISTIC_SURVEYS, title="Redshift surveys", description="Spectroscopy of the footprint."
    )
    representative_fraction: float = Field(
        default=0.02,
        title="Representative sample",
        description="Share of primary galaxies with a perfect redshift.",
        ge=0,
        le=1,
    )
