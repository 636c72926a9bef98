"""The redshift catalogue of a DESI data release, read as a stream.

The file has some 28 million rows of more than a hundred columns, about 20 GB. FITS tables are stored by row, so all
of it must pass; only the needed columns of science targets are kept, block by block.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from pzcenter.catalogs.storage import atomic_path
from pzcenter.errors import ConfigError, NotFoundError
from pzcenter.training.sources.fits_stream import fits_blocks
from pzcenter.training.sources.protocol import Answer
from pzcenter.training.sources.transport import Transport

if TYPE_CHECKING:
    from pzcenter.training.sources.protocol import Visit
    from pzcenter.training.sources.request import SourceRequest

__all__ = ["COLUMNS", "RELEASES", "DesiConnector"]

_PUBLIC = "https://data.desi.lbl.gov/public"
RELEASES = {
    "edr": f"{_PUBLIC}/edr/spectro/redux/fuji/zcatalog/zall-pix-fuji.fits",
    "dr1": f"{_PUBLIC}/dr1/spectro/redux/iron/zcatalog/v1/zall-pix-iron.fits",
}
COLUMNS = (
    "TARGETID", "SURVEY", "PROGRAM", "TARGET_RA", "TARGET_DEC", "Z", "ZERR", "ZWARN", "SPECTYPE", "DELTACHI2",
    "ZCAT_PRIMARY",
)  # fmt: skip
_RENAMED = {"SURVEY": "DESI_SURVEY"}
"""Their SURVEY is the phase of DESI (main, sv1, ...), not the name of a redshift survey."""


class DesiConnector:
    """Options: ``release``, one of :data:`RELEASES`, or ``url`` of another such file; ``columns``."""

    name = "desi"

    def fetch(self, request: SourceRequest, visit: Visit) -> Answer:
        """Read the file as it passes.

        Raises
        ------
        NotFoundError
            No such release.
        TransientError
            The stream broke off: it begins again at the next call, as nothing of it is kept.
        """
        request.allow_only("release", "url", "columns")
        url = _url_of(request)
        columns = [str(name) for name in request.options.get("columns", COLUMNS)]
        if "TARGETID" not in columns:
            raise ConfigError(f"the columns of DESI must hold TARGETID; found {columns}")
        transport = Transport(visit.limits, allow_private=visit.allow_private)
        path = visit.directory / "zall-pix.parquet"
        seen, kept = 0, 0
        with transport.open(url) as response, atomic_path(path) as unfinished:
            etag = response.headers.get("ETag", "")
            blocks = fits_blocks(transport.blocks(response, url), url, columns, max_bytes=visit.limits.max_stream_bytes)
            writer: pq.ParquetWriter | None = None
            try:
                for block in blocks:
                    rows = _science_targets(block)
                    seen, kept = seen + block.num_rows, kept + rows.num_rows
                    writer = writer or pq.ParquetWriter(unfinished, rows.schema, compression="zstd")
                    writer.write_table(rows)
            finally:
                if writer is not None:
                    writer.close()
        return Answer(
            url, path=path, etag=etag, notes=(f"left out {seen - kept} of {seen} rows with TARGETID < 0 (sky)",)
        )


def _url_of(request: SourceRequest) -> str:
    if request.options.get("url"):
        return str(request.options["url"])
    release = str(request.required("release")).lower()
    if release not in RELEASES:
        raise NotFoundError(f"no DESI release {release!r} is known; known are {sorted(RELEASES)}, or give `url`")
    return RELEASES[release]


def _science_targets(block: pa.Table) -> pa.Table:
    import pyarrow.compute as pc

    rows = block.filter(pc.greater_equal(block.column("TARGETID"), 0))
    return rows.rename_columns([_RENAMED.get(name, name) for name in rows.column_names])
