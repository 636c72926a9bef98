"""Products are found on PostgreSQL as on SQLite: every filter, every order, words, cursors."""

import pytest

from pzcenter.server.services.context import open_services
from pzcenter.server.services.principal import principal_of
from pzcenter.server.services.product_filters import FILTERS
from pzcenter.server.services.product_search import ORDERS, ProductQuery, find_products
from pzcenter.server.services.product_text import RARE
from pzcenter.server.services.products import NewProduct, create_product, edit_product
from pzcenter.server.settings import ServerSettings
from pzcenter.server.storage.accounts import Role, User, UserState
from pzcenter.server.storage.make_tables import make_tables


@pytest.fixture
def services(postgres_url, tmp_path):
    opened = open_services(ServerSettings(data_dir=tmp_path / "server", database_url=postgres_url))
    make_tables(opened.database)
    yield opened
    opened.close()


def test_products_are_found(services, monkeypatch):
    with services.database.writing() as session:
        user = User(username="seeker", role=Role.USER, state=UserState.ACTIVE)
        session.add(user)
        session.flush()
        who = principal_of(session, user)
        for i in range(5):
            new = NewProduct(f"Größe {i}", "other", tags=("deep", f"tag-{i}"), description="wide-field")
            create_product(services, session, who, new)
        edit_product(session, who, 1, {"description": "other words"})

    def found(**words):
        with services.database.reading() as session:
            return find_products(session, who, ProductQuery(**words))

    assert found().count == 5
    for name in FILTERS:
        assert found(filters={name: "1"}).count <= 5
    for name in ORDERS:
        for order in (name, f"-{name}"):
            first = found(order=order, limit=3)
            rest = found(order=order, limit=3, cursor=first.next_cursor)
            assert (first.count, rest.count, rest.next_cursor) == (5, 5, None)
            assert len({row.id for row in (*first.rows, *rest.rows)}) == 5
    for rare in (RARE, 0):
        monkeypatch.setattr("pzcenter.server.services.product_text.RARE", rare)
        assert found(text="GRÖ deep").count == 5
        assert found(text="wide field").count == 4
        assert found(text="seek tag 3").count == 1
        assert found(text="ide").count == 0
