"""Hypothesis strategies for the array containers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pzcenter.schema import Photometry
from pzcenter.testing.synthetic import SYNTHETIC_BANDS

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

__all__ = ["photometries"]

_ODD_FLUXES = (np.nan, np.inf, -np.inf, 0.0, -1.0, 1e-30, 1e30, -1e30, 3.4e38)
_ODD_ERRORS = (np.nan, np.inf, 0.0, -1.0, 1e-30, 1e30, 3.4e38)


@st.composite
def photometries(
    draw: st.DrawFn,
    *,
    bands: tuple[str, ...] = SYNTHETIC_BANDS,
    min_obj: int = 0,
    max_obj: int = 8,
    allow_odd: bool = True,
) -> Photometry:
    """Photometry as it could come from a catalogue, with everything that goes wrong in one.

    Parameters
    ----------
    draw : callable
        Given by hypothesis.
    bands : tuple of str
        Band names.
    min_obj, max_obj : int
        Number of objects.
    allow_odd : bool
        Whether fluxes and errors may be NaN, infinite, zero, negative or absurd.

    Returns
    -------
    Photometry
        Fluxes of float32 or float64.
    """
    n_obj = draw(st.integers(min_obj, max_obj))
    dtype = draw(st.sampled_from([np.float32, np.float64]))
    flux: SearchStrategy[float] = st.floats(-1e3, 1e6)
    flux_err: SearchStrategy[float] = st.floats(0.5, 1e3)
    if allow_odd:
        flux = st.one_of(flux, st.sampled_from(_ODD_FLUXES))
        flux_err = st.one_of(flux_err, st.sampled_from(_ODD_ERRORS))
    shape = (n_obj, len(bands))
    return Photometry(
        flux=draw(arrays(np.float64, shape, elements=flux)).astype(dtype),
        flux_err=draw(arrays(np.float64, shape, elements=flux_err)).astype(dtype),
        bands=bands,
        dereddened=draw(st.booleans()),
    )
