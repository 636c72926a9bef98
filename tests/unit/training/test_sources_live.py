"""One small question to each public service; asked only where PZ_LIVE_TESTS=1."""

from __future__ import annotations

import os

import pytest

from pzcenter.training.sources import Limits, fetch

pytestmark = [
    pytest.mark.skipif(os.environ.get("PZ_LIVE_TESTS") != "1", reason="asks public services: set PZ_LIVE_TESTS=1"),
    pytest.mark.filterwarnings("default"),
]


def test_vizier(tmp_path):
    found = fetch({"connector": "vizier", "catalog": "J/ApJS/199/26/table3"}, tmp_path)
    assert found.n_rows > 40_000 and {"_RAJ2000", "_DEJ2000", "cz"} <= set(found.table().column_names)


def test_sdss(tmp_path):
    where = "sciencePrimary = 1 AND z BETWEEN 0.1 AND 0.1001"
    columns = ["specObjID", "ra", "dec", "z", "zErr", "zWarning", "class", "sciencePrimary"]
    request = {"connector": "sdss", "data_release": 17, "table": "SpecObjAll", "columns": columns, "where": where}
    few, many = fetch({**request, "page_rows": 100}, tmp_path), fetch(request, tmp_path)
    assert few.n_rows == many.n_rows > 100


def test_tap(tmp_path):
    query = "SELECT TOP 5 targetid, mean_fiber_ra, mean_fiber_dec, z, zwarn FROM desi_dr1.zpix"
    found = fetch(
        {"connector": "tap", "url": "https://datalab.noirlab.edu/tap", "query": query, "mode": "sync"}, tmp_path
    )
    assert found.n_rows == 5


def test_desi_edr_begins_as_expected(tmp_path):
    from pzcenter.errors import UsageError

    # The whole file is several GB: the limit stops after the header, which must have been understood.
    with pytest.raises(UsageError, match="max_stream_bytes"):
        fetch({"connector": "desi", "release": "edr"}, tmp_path, limits=Limits(max_stream_bytes=1))


def test_url(tmp_path):
    url = "https://cdsarc.cds.unistra.fr/ftp/J/ApJS/199/26/ReadMe"
    assert fetch({"connector": "url", "url": url}, tmp_path).version.n_bytes > 1000


@pytest.mark.skipif("PZ_SERVER_TOKEN" not in os.environ, reason="needs PZ_SERVER_TOKEN, _HOST, _PRODUCT")
def test_pzserver(tmp_path):
    host, product = os.environ["PZ_SERVER_HOST"], int(os.environ["PZ_SERVER_PRODUCT"])
    assert fetch({"connector": "pzserver", "host": host, "product": product}, tmp_path).version.n_bytes > 0
