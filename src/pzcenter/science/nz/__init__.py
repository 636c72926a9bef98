"""Redshift distributions n(z) of samples and of their tomographic bins, with uncertainty.

Three estimators that answer different questions: :func:`stacked_nz` sums p(z), :func:`reweighted_nz` lets objects of
known redshift stand for those of their cell, :func:`infer_nz` asks for the distribution whose objects, each with its
likelihood, would be seen like these.
"""

from __future__ import annotations

from pzcenter.science.nz.estimate import NzEstimate, histogram_edges
from pzcenter.science.nz.inference import Inference, implicit_prior, infer_nz
from pzcenter.science.nz.reweighting import Reweighting, reweighted_nz
from pzcenter.science.nz.stacking import StackSums, mass_operators, stacked_nz
from pzcenter.science.nz.tomography import SampleBins

__all__ = [
    "Inference",
    "NzEstimate",
    "Reweighting",
    "SampleBins",
    "StackSums",
    "histogram_edges",
    "implicit_prior",
    "infer_nz",
    "mass_operators",
    "reweighted_nz",
    "stacked_nz",
]
