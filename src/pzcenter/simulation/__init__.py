"""An LSST-like sky with its truth and redshift surveys, made from luminosity functions and SEDs.

For trials and teaching without a download: :func:`simulate`, or ``pz simulate``.
"""

from __future__ import annotations

from pzcenter.simulation.config import SimulationConfig
from pzcenter.simulation.run import SimulationReport, simulate
from pzcenter.simulation.spectroscopy import REALISTIC_SURVEYS, ColourCut, SpecSurvey

__all__ = ["REALISTIC_SURVEYS", "ColourCut", "SimulationConfig", "SimulationReport", "SpecSurvey", "simulate"]
