"""Spectral energy distributions of galaxies, and the sets of them that template fitting uses."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib import resources
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

from pzcenter.errors import NotFoundError, ShapeError, UnitError
from pzcenter.science.filters import SPEED_OF_LIGHT

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "NORMALISATION_WAVELENGTH",
    "Sed",
    "TemplateSet",
    "interpolate_templates",
    "load_template_set",
    "template_set_names",
]

NORMALISATION_WAVELENGTH = 5500.0
"""Angstrom, rest frame: every SED of a set has f_nu = 1 nJy there, so that model fluxes are numbers near 1."""

ERG_PER_NJY = 1.0e-32
"""erg s-1 cm-2 Hz-1 in one nJy."""


@dataclass(frozen=True, eq=False)
class Sed:
    """Spectral energy distribution in the rest frame; linear between its points and zero outside them.

    Parameters
    ----------
    name : str
        Unique in its set.
    wavelength : ndarray, (n_wave,)
        Angstrom, rest frame, increasing.
    flux : ndarray, (n_wave,)
        f_lambda, erg s-1 cm-2 angstrom-1; the overall scale of templates is arbitrary.

    Raises
    ------
    ShapeError
        The arrays do not fit each other, or the wavelengths do not increase.
    UnitError
        A wavelength that is not positive, or a flux that is not finite or is negative.
    """

    name: str
    wavelength: NDArray[np.float64]
    flux: NDArray[np.float64]

    def __post_init__(self) -> None:
        wavelength = np.array(self.wavelength, dtype=np.float64)
        flux = np.array(self.flux, dtype=np.float64)
        if wavelength.ndim != 1 or wavelength.size < 2 or wavelength.shape != flux.shape:
            raise ShapeError(
                f"SED {self.name!r}: wavelength and flux must be two columns of at least two rows; "
                f"got {wavelength.shape} and {flux.shape}"
            )
        if not np.all(np.diff(wavelength) > 0):
            raise ShapeError(f"SED {self.name!r}: the wavelengths must increase")
        if wavelength[0] <= 0:
            raise UnitError(f"SED {self.name!r}: wavelengths must be positive angstrom; got {wavelength[0]:g}")
        if not np.all(np.isfinite(flux)) or flux.min() < 0:
            raise UnitError(f"SED {self.name!r}: flux must be finite and not negative")
        wavelength.flags.writeable = False
        flux.flags.writeable = False
        object.__setattr__(self, "wavelength", wavelength)
        object.__setattr__(self, "flux", flux)

    def normalised(self, *, rest_wavelength: float = NORMALISATION_WAVELENGTH) -> Sed:
        """Scale the SED so that f_nu is 1 nJy at one rest-frame wavelength.

        Parameters
        ----------
        rest_wavelength : float
            Angstrom.

        Returns
        -------
        Sed

        Raises
        ------
        UnitError
            The flux there is zero.
        """
        f_lambda = np.interp(rest_wavelength, self.wavelength, self.flux, left=0.0, right=0.0)
        if f_lambda <= 0:
            raise UnitError(f"SED {self.name!r}: no flux at {rest_wavelength:g} angstrom to normalise by")
        wanted = ERG_PER_NJY * SPEED_OF_LIGHT / rest_wavelength**2
        return replace(self, flux=self.flux * (wanted / f_lambda))


@dataclass(frozen=True, eq=False)
class TemplateSet:
    """An ordered set of SEDs with their broad types.

    Parameters
    ----------
    name : str
        Such as ``cosmos31``.
    seds : tuple of Sed
        From red to blue, so that neighbours can be interpolated.
    types : ndarray of int, (n_template,)
        Broad type, by which priors group templates: 0 elliptical, 1 spiral, 2 irregular and starburst.

    Raises
    ------
    ShapeError
        No SED, or not one type per SED.
    """

    name: str
    seds: tuple[Sed, ...]
    types: NDArray[np.int64]

    def __post_init__(self) -> None:
        types = np.array(self.types, dtype=np.int64)
        if not self.seds or types.shape != (len(self.seds),):
            raise ShapeError(f"template set {self.name!r}: {len(self.seds)} SEDs, but types of shape {types.shape}")
        types.flags.writeable = False
        object.__setattr__(self, "types", types)

    def __len__(self) -> int:
        return len(self.seds)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the SEDs, in order."""
        return tuple(sed.name for sed in self.seds)


def template_set_names() -> tuple[str, ...]:
    """Names of the template sets that come with the package.

    Returns
    -------
    tuple of str
        Sorted.
    """
    folder = resources.files("pzcenter") / "data" / "templates"
    return tuple(sorted(entry.name for entry in folder.iterdir() if (entry / "set.yaml").is_file()))


def load_template_set(name: str) -> TemplateSet:
    """Template set by name, each SED scaled to f_nu = 1 nJy at 5500 angstrom in the rest frame.

    Parameters
    ----------
    name : str
        One of :func:`template_set_names`.

    Returns
    -------
    TemplateSet
        SEDs in the order of the published list.

    Raises
    ------
    NotFoundError
        No set of this name.
    """
    if name not in template_set_names():
        raise NotFoundError(f"no template set {name!r}; there are {', '.join(template_set_names())}")
    folder = resources.files("pzcenter") / "data" / "templates" / name
    entries: list[dict[str, Any]] = yaml.safe_load((folder / "set.yaml").read_text(encoding="utf-8"))["seds"]
    with (folder / "seds.npz").open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
        offset, wavelength, flux = arrays["offset"], arrays["wavelength"], arrays["flux"]
    seds = tuple(
        Sed(entry["name"], wavelength[start:stop], flux[start:stop]).normalised()
        for entry, start, stop in zip(entries, offset[:-1], offset[1:], strict=True)
    )
    return TemplateSet(name, seds, np.array([entry["type"] for entry in entries]))


def interpolate_templates(templates: TemplateSet, n_between: int) -> TemplateSet:
    """Set with templates added between each two neighbours of it.

    Parameters
    ----------
    templates : TemplateSet
        In an order in which neighbours resemble each other.
    n_between : int
        Templates to add between two neighbours, at equal steps of the linear mix of f_lambda.

    Returns
    -------
    TemplateSet
        ``n_template + n_between * (n_template - 1)`` SEDs, the given ones at every ``n_between + 1``. The type is
        that of the nearer neighbour, of the redder one at equal distance. Interpolated SEDs are named
        ``{left}*{weight of left}+{right}*{weight of right}``.

    Raises
    ------
    ShapeError
        ``n_between`` is negative.

    References
    ----------
    Benitez 2000, ApJ 536, 571, section 4.1; linear in flux, which is why mixing SEDs and mixing model fluxes agree.
    """
    if n_between < 0:
        raise ShapeError(f"n_between must be zero or more; got {n_between}")
    seds: list[Sed] = []
    types: list[int] = []
    for k, left in enumerate(templates.seds[:-1]):
        right = templates.seds[k + 1]
        seds.append(left)
        types.append(int(templates.types[k]))
        for step in range(1, n_between + 1):
            weight = step / (n_between + 1)
            seds.append(_mix(left, right, weight))
            types.append(int(templates.types[k if weight <= 0.5 else k + 1]))
    seds.append(templates.seds[-1])
    types.append(int(templates.types[-1]))
    return TemplateSet(f"{templates.name}+{n_between}", tuple(seds), np.array(types))


def _mix(left: Sed, right: Sed, weight: float) -> Sed:
    """``(1 - weight) left + weight right`` on the union of their wavelengths."""
    wavelength = np.union1d(left.wavelength, right.wavelength)
    a, b = (np.interp(wavelength, sed.wavelength, sed.flux, left=0.0, right=0.0) for sed in (left, right))
    name = f"{left.name}*{1 - weight:.3g}+{right.name}*{weight:.3g}"
    return Sed(name, wavelength, (1.0 - weight) * a + weight * b)
