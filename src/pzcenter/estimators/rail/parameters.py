"""The parameters of a method of RAIL: what it says of them, as settings of ours, and as RAIL wants them back."""

from __future__ import annotations

from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, create_model, model_validator

from pzcenter.errors import BandError, ModelError
from pzcenter.estimators.protocol import EstimatorConfig
from pzcenter.estimators.rail.columns import (
    LSST_BANDS,
    NON_DETECTION,
    NOT_OBSERVED,
    REDSHIFT_COLUMN,
    err_column,
    mag_column,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray
    from pydantic.fields import FieldInfo

__all__ = ["GOVERNED", "RailConfig", "RailMethod", "check_required", "config_class", "stage_parameters"]

MAX_POINTS = 3001
"""Of RAIL's grid, however fine an uneven one of ours is."""
GOVERNED = frozenset({
    "aliases", "bands", "calc_summary_stats", "calculated_point_estimates", "chunk_size", "config", "dz", "err_bands",
    "err_dict", "hdf5_groupname", "id_col", "input", "logging_level", "model", "name", "nondetect_val",
    "nonobserved_val", "nzbins", "object_id_col", "output", "output_mode", "recompute_point_estimates", "redshift_col",
    "unobserved_val", "zmax", "zmin",
})  # fmt: skip
"""Parameters that follow from the photometry, the redshift grid and the way in which RAIL is run here."""
_TYPES: dict[str, Any] = {
    "int": int,
    "float": float,
    "str": str,
    "bool": bool,
    "list": list[Any],
    "dict": dict[str, Any],
}


class Parameter(BaseModel):
    """One parameter of a stage."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    type: str = "any"
    default: Any = None
    required: bool = False
    message: str = ""


@dataclass(frozen=True, eq=False)
class RailMethod:
    """What RAIL says of a pair of an informer and an estimator.

    Parameters
    ----------
    name : str
        Without ``Informer`` and ``Estimator``.
    words : str
        What it does.
    informer, estimator : dict of str to Parameter
        Parameters of the two stages.
    versions : dict of str to str
        Of RAIL and of the interpreter.
    """

    name: str
    words: str
    informer: dict[str, Parameter]
    estimator: dict[str, Parameter]
    versions: dict[str, str] = field(default_factory=dict)

    @classmethod
    def from_answer(cls, name: str, answer: Mapping[str, Any]) -> RailMethod:
        """Make one from what the worker says."""
        stages = {
            stage: {key: Parameter.model_validate(value) for key, value in answer[stage].items()}
            for stage in ("informer", "estimator")
        }
        return cls(name=name, words=str(answer["words"]), versions=dict(answer["versions"]), **stages)

    def default(self, name: str) -> Any:
        """Default of a parameter; None where the two stages differ, and each then keeps its own."""
        found = [stage[name].default for stage in (self.informer, self.estimator) if name in stage]
        return found[0] if all(value == found[0] for value in found) else None


class RailConfig(EstimatorConfig):
    """Settings that all methods of RAIL have here, beside their own parameters."""

    model_config = ConfigDict(protected_namespaces=())

    use_bands: tuple[str, ...] = Field(
        default=(),
        title="Bands",
        description="Names of the bands that the method sees; all of the photometry when empty.",
    )
    detection_snr: float = Field(
        default=0.0,
        ge=0,
        le=100,
        title="Detection limit",
        description="A flux that is not above so many of its errors is a non-detection (99). RAIL's simulated "
        "catalogues have 0: all positive fluxes are detections.",
    )
    missing_bands: Literal["limit", "flag"] = Field(
        default="limit",
        title="Bands without a flux",
        description="limit: -99 where the method knows that mark, else as a non-detection; flag: such objects get no "
        "p(z) and the flag no_estimate.",
    )

    @model_validator(mode="before")
    @classmethod
    def _tell_what_is_accepted(cls, given: Any) -> Any:
        """Answer an unknown name with all names, their types and defaults."""
        unknown = [name for name in given if name not in cls.model_fields] if isinstance(given, dict) else []
        if not unknown:
            return given
        governed = [name for name in unknown if name in GOVERNED]
        words = (
            f"{', '.join(governed)}: set by the photometry and the redshift grid (--z-max, --n-z). " if governed else ""
        )
        alike = [near for name in unknown for near in get_close_matches(name, cls.model_fields, n=2)]
        words += f"Do you mean {' or '.join(alike)}? " if alike else ""
        accepted = "; ".join(
            f"{name} ({_type_words(item)}, {item.default!r})" for name, item in cls.model_fields.items()
        )
        raise ValueError(f"unknown {', '.join(unknown)}. {words}Accepted are: {accepted}")


def _type_words(item: FieldInfo) -> str:
    """Type of a setting as RAIL names it, or as Python does."""
    title = item.title or ""
    return (
        title.rpartition("(")[2].rstrip(")") if title.startswith("RAIL's ") else str(item.annotation).partition("[")[0]
    )


def config_class(method: RailMethod) -> type[RailConfig]:
    """Settings of a method: ours and RAIL's parameters, with RAIL's defaults.

    Parameters
    ----------
    method : RailMethod

    Returns
    -------
    type of RailConfig
    """
    fields: dict[str, Any] = {}
    for name in sorted({*method.informer, *method.estimator} - GOVERNED):
        if name.startswith("_") or hasattr(RailConfig, name) or name in RailConfig.model_fields:
            continue  # a name that a settings class cannot have: the parameter keeps RAIL's default
        parameter = method.informer.get(name) or method.estimator[name]
        annotation = _TYPES.get(parameter.type, Any) | None
        words = " ".join(parameter.message.split()) or "RAIL does not say."
        fields[name] = (
            annotation,
            Field(default=method.default(name), title=f"RAIL's {name} ({parameter.type})", description=words),
        )
    made: type[RailConfig] = create_model(f"Rail{method.name}Config", __base__=RailConfig, **fields)
    made.__doc__ = f"Settings of RAIL's {method.name}."
    return made


def stage_parameters(
    method: RailMethod,
    config: RailConfig,
    bands: tuple[str, ...],
    z_grid: NDArray[np.float64],
    mag_limits: Mapping[str, float],
) -> dict[str, Any]:
    """Parameters of both stages as RAIL takes them; each stage picks the ones that it has.

    Parameters
    ----------
    method : RailMethod
    config : RailConfig
    bands : tuple of str
    z_grid : ndarray, (n_z,)
        RAIL's own grid has the same ends and, where ours is even, the same points.
    mag_limits : mapping of str to float
        Limiting magnitude by band, for bands of which RAIL knows none.

    Returns
    -------
    dict

    Raises
    ------
    BandError
        A parameter is needed for bands of which RAIL knows nothing.
    """
    n_z = _points_of(z_grid)
    found: dict[str, Any] = {
        "bands": [mag_column(band) for band in bands],
        "err_bands": [err_column(band) for band in bands],
        "err_dict": {**{mag_column(band): err_column(band) for band in bands}, REDSHIFT_COLUMN: None},
        "redshift_col": REDSHIFT_COLUMN,
        "nondetect_val": NON_DETECTION,
        "nonobserved_val": NOT_OBSERVED,
        "unobserved_val": NOT_OBSERVED,
        "zmin": float(z_grid[0]),
        "zmax": float(z_grid[-1]),
        "nzbins": n_z,
        "dz": float(z_grid[-1] - z_grid[0]) / (n_z - 1),
    }
    for name in type(config).model_fields:
        value = getattr(config, name)
        if name in RailConfig.model_fields or value is None:
            continue
        found[name] = _for_bands(method, name, value, bands, mag_limits)
    if "ref_band" in found and found["ref_band"] not in found["bands"]:
        raise BandError(f"ref_band is {found['ref_band']!r}, and the bands are {found['bands']}: set ref_band to one")
    return found


def _points_of(z_grid: NDArray[np.float64]) -> int:
    """Points of an even grid with the same ends, as fine as the finest step of this one."""
    import numpy as np

    span, step = float(z_grid[-1] - z_grid[0]), float(np.min(np.diff(z_grid)))
    return min(round(span / step) + 1, MAX_POINTS)


def _for_bands(
    method: RailMethod, name: str, value: Any, bands: tuple[str, ...], mag_limits: Mapping[str, float]
) -> Any:
    """RAIL's default of a parameter with one entry for each of its six bands, for the bands of a model.

    What a user gave is left as it is.
    """
    if value != method.default(name):
        return value
    columns = [mag_column(band) for band in LSST_BANDS]
    if isinstance(value, dict) and set(value) == set(columns):
        limits = {mag_column(band): limit for band, limit in mag_limits.items()}
        known = {**limits, **value} if name == "mag_limits" else value
        missing = [band for band in bands if mag_column(band) not in known]
        _refuse(method, name, missing)
        return {mag_column(band): known[mag_column(band)] for band in bands}
    if isinstance(value, list) and len(value) == len(columns):
        _refuse(method, name, [band for band in bands if band not in LSST_BANDS and len(set(map(str, value))) > 1])
        return [value[LSST_BANDS.index(band)] if band in LSST_BANDS else value[0] for band in bands]
    return value


def _refuse(method: RailMethod, name: str, missing: list[str]) -> None:
    if missing:
        raise BandError(
            f"rail:{method.name} has no {name} for the bands {missing}: give it with --set {name}=..., or leave the "
            "bands out with use_bands"
        )


def check_required(method: RailMethod, config: RailConfig) -> None:
    """Refuse settings that lack what RAIL has no default for.

    Raises
    ------
    ModelError
        A required parameter is not set.
    """
    missing = [
        name
        for name in type(config).model_fields
        if getattr(config, name) is None
        and any(name in stage and stage[name].required for stage in (method.informer, method.estimator))
    ]
    if missing:
        raise ModelError(f"rail:{method.name} needs values of {', '.join(missing)}: give them with --set NAME=VALUE")
