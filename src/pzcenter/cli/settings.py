"""Settings of a method and redshift grids, from what was typed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pzcenter.errors import ConfigError, MissingDependencyError, NotFoundError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from pzcenter.simulation import SimulationConfig

__all__ = ["DUST_MAPS", "dust_map", "method_settings", "redshift_grid", "simulation_config"]

STEP = 0.01
"""Of the redshift grid, unless it is given."""
DEFAULT_Z_MAX = 3.0
DUST_MAPS = {"sfd": ("sfd", "SFDQuery"), "csfd": ("csfd", "CSFDQuery"), "planck": ("planck", "PlanckQuery")}
"""Module and class of ``dustmaps`` by our name."""


def method_settings(file: str | None, pairs: list[str] | None) -> dict[str, Any] | None:
    """Settings of a YAML file, then those of the command line.

    Parameters
    ----------
    file : str, optional
        YAML file with a mapping.
    pairs : list of str, optional
        ``KEY=VALUE``; the value is read as YAML, and a dot in the key goes one level down.

    Returns
    -------
    dict or None
        None where nothing was given.

    Raises
    ------
    NotFoundError
        There is no such file.
    ConfigError
        The file or a pair cannot be understood.
    """
    if file is None and not pairs:
        return None
    import yaml

    found: dict[str, Any] = {}
    if file is not None:
        try:
            content = yaml.safe_load(Path(file).read_text(encoding="utf-8-sig"))
        except OSError as error:
            raise NotFoundError(f"cannot read the settings file {file}: {error.strerror}") from error
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise ConfigError(f"the settings file {file} is not YAML: {error}") from error
        if not isinstance(content, dict):
            raise ConfigError(
                f"the settings file {file} must hold 'key: value' lines; it is a {type(content).__name__}"
            )
        found.update(content)
    for pair in pairs or []:
        key, equals, text = pair.partition("=")
        if not key or not equals:
            raise ConfigError(f"--set takes KEY=VALUE; got {pair!r}")
        try:
            value = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise ConfigError(f"--set {key}: the value {text!r} is not YAML: {error}") from error
        _put(found, key.strip().split("."), value)
    return found


def _put(content: dict[str, Any], keys: list[str], value: Any) -> None:
    for key in keys[:-1]:
        inner = content.setdefault(key, {})
        if not isinstance(inner, dict):
            raise ConfigError(f"--set {'.'.join(keys)}: {key} is {inner!r}, which has nothing inside")
        content = inner
    content[keys[-1]] = value


def simulation_config(settings: dict[str, Any] | None) -> SimulationConfig | None:
    """Settings of a simulated sky, checked.

    Raises
    ------
    ConfigError
        A setting is unknown, or its value is not accepted.
    """
    if settings is None:
        return None
    from pydantic import ValidationError

    from pzcenter.simulation import SimulationConfig

    try:
        return SimulationConfig.model_validate(settings)
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']} (got {fault['input']!r})"
            for fault in error.errors()
        )
        known = ", ".join(SimulationConfig.model_fields)
        raise ConfigError(f"{faults}. Known settings: {known}") from None


def redshift_grid(z_max: float | None, n_z: int | None) -> NDArray[np.float64] | None:
    """Grid from 0, evenly spaced.

    Parameters
    ----------
    z_max : float, optional
        Last point; 3 by default.
    n_z : int, optional
        Points; by default as many as make steps of 0.01.

    Returns
    -------
    ndarray, (n_z,), or None
        None where nothing was given: the method's own grid.
    """
    if z_max is None and n_z is None:
        return None
    import numpy as np

    end = DEFAULT_Z_MAX if z_max is None else z_max
    return np.linspace(0.0, end, round(end / STEP) + 1 if n_z is None else n_z)


def dust_map(name: str | None) -> Any:
    """Dust map of the ``dustmaps`` package.

    Parameters
    ----------
    name : str, optional
        One of ``DUST_MAPS``; none by default.

    Returns
    -------
    object or None
        With ``query``.

    Raises
    ------
    ConfigError
        No map of this name.
    MissingDependencyError
        The package is not installed.
    NotFoundError
        Its data files were not fetched.
    """
    if name is None:
        return None
    if name not in DUST_MAPS:
        raise ConfigError(f"no dust map {name!r}; accepted are {', '.join(DUST_MAPS)}")
    module, query = DUST_MAPS[name]
    from importlib import import_module

    try:
        found = import_module(f"dustmaps.{module}")
    except ImportError as error:
        raise MissingDependencyError(
            f"the dust map {name} needs the package dustmaps: pip install 'pzcenter[dust]' ({error})"
        ) from error
    try:
        return getattr(found, query)()
    except (OSError, ValueError) as error:
        raise NotFoundError(
            f"the data of the dust map {name} are not there ({error}); fetch them once with: "
            f'python -c "import dustmaps.{module}; dustmaps.{module}.fetch()"'
        ) from error
