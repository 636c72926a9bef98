"""Files of products as tables: found out what they are, opened with suspicion, read in pieces."""

from __future__ import annotations

from pzcenter.server.services.tables.opening import TABULAR_TYPES, open_file, source_of
from pzcenter.server.services.tables.sources import SourceFile

__all__ = ["TABULAR_TYPES", "SourceFile", "open_file", "source_of"]
