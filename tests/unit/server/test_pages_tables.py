"""Rows picked, drawn and taken home by people who write no code."""

import numpy as np
import pytest

from pzcenter.errors import ColumnError, QuotaError, UsageError
from pzcenter.server.services import table_rows
from pzcenter.server.services.table_plots import table_plot
from pzcenter.server.services.table_rows import selected_rows
from pzcenter.server.services.tables.conditions import read_condition, read_conditions
from pzcenter.server.storage.products import Product, ProductColumn, Visibility

RNG = np.random.default_rng(7)
Z, MAG = RNG.uniform(0.0, 1.0, 1000), RNG.normal(22.0, 1.0, 1000)
LINES = [
    f"g{i},{z:.5f},{'' if i % 100 == 0 else f'{mag:.3f}'},{i % 3}"
    for i, (z, mag) in enumerate(zip(Z, MAG, strict=True))
]
CSV = "\n".join(["name,z,mag_i,flag", *LINES, "far,0.5,1e9,1", ""]).encode()


@pytest.fixture
def table(made, principal, services):
    number = made(principal("owner"), text=CSV, publish=False, visibility=Visibility.PRIVATE)
    with services.database.writing() as session:
        product = session.get_one(Product, number)
        kinds = {"name": "string", "z": "double", "mag_i": "double", "flag": "int64"}
        product.columns = []
        session.flush()
        product.columns = [ProductColumn(name=name, order=n, datatype=kinds[name]) for n, name in enumerate(kinds)]
        product.columns[1].unit = "<b>"
        return number, product.uid


def test_conditions_are_read():
    told = [(each.column, each.op, each.value) for each in read_conditions("z<0.5, mag_i >= 24 ,survey = DEEP2,")]
    assert told == [("z", "<", 0.5), ("mag_i", ">=", 24.0), ("survey", "==", "DEEP2")]
    assert read_conditions(" ") == []
    for text in ("z", "z <", "< 5", "z <> 5", "a < b < c", "z < \0"):
        with pytest.raises(UsageError, match="no condition"):
            read_condition(text)


def test_counts_of_two_columns(services, principal, table):
    made = table_plot(services, principal("owner"), table[0], "z", "mag_i", where=read_conditions("flag < 2"))
    kept = np.arange(1000) % 3 < 2
    assert made.n_rows == kept.sum() + 1
    assert made.n_missing == (kept & (np.arange(1000) % 100 == 0)).sum()
    assert made.counts.sum() == made.n_rows - made.n_missing - made.n_outside
    assert made.n_outside < 10
    z, mag = Z[kept & (np.arange(1000) % 100 != 0)], MAG[kept & (np.arange(1000) % 100 != 0)]
    direct, _, _ = np.histogram2d(np.round(z, 5), np.round(mag, 3), bins=[made.x_edges, made.y_edges])
    np.testing.assert_array_equal(made.counts, direct)


def test_counts_of_one_column(services, principal, table):
    made = table_plot(services, principal("owner"), table[0], "flag")
    assert (made.y, made.y_edges.size, made.counts.sum(), made.n_outside) == ("", 0, 1001, 0)
    one = table_plot(services, principal("owner"), table[0], "z", where=read_conditions("name == far"))
    assert (one.counts.sum(), one.n_rows) == (1, 1)
    none = table_plot(services, principal("owner"), table[0], "z", "mag_i", where=read_conditions("z > 5"))
    assert (none.counts.sum(), none.n_rows) == (0, 0)
    for x, where in (("name", ""), ("nothing", ""), ("z", "nothing > 1")):
        with pytest.raises(ColumnError):
            table_plot(services, principal("owner"), table[0], x, where=read_conditions(where))
    with pytest.raises(UsageError, match="at most 10"):
        table_plot(services, principal("owner"), table[0], "z", where=read_conditions("z<1," * 11))


def test_rows_to_take_home(services, principal, table, monkeypatch):
    name, file = selected_rows(services, principal("owner"), table[0], where=read_conditions("z < 0.1, flag == 1"))
    with file:
        lines = file.read().decode().splitlines()
    assert name == f"product-{table[0]}-rows.csv"
    assert lines[0].replace('"', "") == "name,z,mag_i,flag"
    assert len(lines) - 1 == ((np.round(Z, 5) < 0.1) & (np.arange(1000) % 3 == 1)).sum()
    monkeypatch.setattr(table_rows, "MAX_ROWS", 10)
    with pytest.raises(QuotaError, match="set more conditions"):
        selected_rows(services, principal("owner"), table[0])
    assert not list((services.settings.data_dir / "incoming").iterdir())


def test_pages(browser, table, harmless):
    client, uid = browser("owner"), table[1]
    text = client.get(f"/products/{uid}/table?where=z+%3C+0.1&sort=-mag_i").text
    harmless(text)
    assert f"of {(np.round(Z, 5) < 0.1).sum()}" in text
    assert "sort=mag_i&amp;where=z%20%3C%200.1" in text
    text = client.get(f"/products/{uid}/plot").text
    assert '<option value="mag_i">' in text and '<option value="name">' not in text
    text = client.get(f"/products/{uid}/plot?x=z&y=mag_i&where=flag+%3C+2").text
    harmless(text)
    assert 'class="plot"' in text and "have no value" in text and "z (&lt;b&gt;)" in text
    assert "Nothing to draw: 0 of 0 rows" in client.get(f"/products/{uid}/plot?x=z&y=mag_i&where=z+%3E+5").text
    assert "0.1" in client.get(f"/products/{uid}/plot?x=z").text
    answer = client.get(f"/products/{uid}/rows.csv?where=name+%3D%3D+far")
    assert answer.text.splitlines()[1].startswith('"far",0.5')
    assert "attachment" in answer.headers["content-disposition"]
    for query in ("x=name", "x=none", "x=z&where=z", "x=z&where=" + "z%3C1," * 11):
        answer = client.get(f"/products/{uid}/plot?{query}")
        assert answer.status_code == 422 and 'role="alert"' in answer.text
    assert client.get(f"/products/{uid}/table?where=z").status_code == 422
    assert client.get(f"/products/{uid}/rows.csv?where=z").status_code == 400
    for path in ("plot?x=z", "rows.csv", "table?where=z<1"):
        assert browser("colleague").get(f"/products/{uid}/{path}").status_code == 404
