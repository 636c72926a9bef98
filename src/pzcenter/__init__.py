"""PZ Center: an open data center for photometric redshifts."""

from __future__ import annotations

__all__ = ["__version__"]

__version__ = "0.1.0"
