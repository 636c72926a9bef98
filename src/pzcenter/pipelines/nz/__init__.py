"""n(z) of a PZ table and of its tomographic bins, streamed, as a product with its provenance."""

from __future__ import annotations

from pzcenter.pipelines.nz.bins import parse_bins
from pzcenter.pipelines.nz.estimate import METHODS, NzSettings, estimate_nz
from pzcenter.pipelines.nz.product import NzProduct, read_nz

__all__ = ["METHODS", "NzProduct", "NzSettings", "estimate_nz", "parse_bins", "read_nz"]
