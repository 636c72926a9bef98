"""Products are found by those who may see them: filters, orders, cursors, counts."""

import pytest
from sqlalchemy import select, text

from pzcenter.errors import AuthenticationError, PermissionDeniedError, UsageError
from pzcenter.server.services import product_search, product_text
from pzcenter.server.services.principal import NOBODY, Scope
from pzcenter.server.services.product_filters import FILTERS, product_filter
from pzcenter.server.services.product_search import ORDERS, ProductQuery, cursor_of, find_products
from pzcenter.server.services.products import edit_product, new_version
from pzcenter.server.storage.accounts import User
from pzcenter.server.storage.database import Database
from pzcenter.server.storage.migrate import upgrade
from pzcenter.server.storage.products import Product, ProductState, Visibility
from pzcenter.server.storage.search_words import ProductWord


@pytest.fixture
def several(services, principal, made):
    owner = principal("owner")
    for i, tags in enumerate([("deep",), ("deep", "wide"), (), ("wide",), ()]):
        made(owner, "training_set" if i % 2 else "redshift_catalog", name=f"Set {i}", tags=tags)
    made(principal("colleague"), name="Hidden", visibility=Visibility.PRIVATE)


def found(services, who, **words):
    with services.database.reading() as session:
        return find_products(session, who, ProductQuery(**words))


def test_every_order_can_be_leafed_through(services, principal, several):
    for name in ORDERS:
        for order in (name, f"-{name}"):
            seen, cursor = [], None
            while True:
                page = found(services, principal("owner"), order=order, cursor=cursor, limit=2)
                assert page.count == 5
                seen += [row.id for row in page.rows]
                cursor = page.next_cursor
                if cursor is None:
                    break
            whole = found(services, principal("owner"), order=order)
            assert seen == [row.id for row in whole.rows], order
            assert (whole.count, whole.next_cursor) == (5, None)


def test_pages_by_offset(services, principal, several):
    pages = [found(services, principal("owner"), order="id", offset=n, limit=2) for n in (0, 2, 4, 6)]
    assert [[row.id for row in page.rows] for page in pages] == [[1, 2], [3, 4], [5], []]
    assert {page.count for page in pages} == {5}


def test_tags_flags_and_versions(services, principal, several):
    owner = principal("owner")
    assert found(services, owner, tags=("deep",)).count == 2
    assert found(services, owner, tags=(" Deep", "wide")).count == 1
    assert found(services, owner, official=True).count == 0
    assert found(services, owner, text="wide set").count == 2
    assert found(services, owner, text="100%").count == 0
    assert found(services, owner, text="owner", filters={"product_type": "2"}).count == 2
    with services.database.writing() as session:
        second = new_version(services, session, owner, 1)
        second.state, second.is_latest = ProductState.PUBLISHED, True
        session.get(Product, 1).is_latest = False
    assert found(services, owner, latest=False).count == 1
    assert found(services, owner, latest=True, with_tags=True).count == 5


def test_words_follow_what_is_said(services, principal, several):
    owner = principal("owner")

    def names(text):
        return sorted(row.display_name for row in found(services, owner, text=text).rows)

    assert names("SET 3") == ["Set 3"]
    assert names("wid") == ["Set 1", "Set 3"]
    assert names("ide") == names("%") == names("?!") == []
    assert len(names("")) == len(names("  ")) == 5
    with services.database.writing() as session:
        edit_product(session, owner, 1, {"description": "Größe of *host-galaxies*", "pz_code": None}, tags=["new"])
        edit_product(session, owner, 2, {"display_name": "Renamed"}, tags=[])
    assert names("größ galax host") == names("new") == ["Set 0"]
    assert names("deep") == []
    assert names("renamed") == ["Renamed"]
    assert names("colleague") == []
    assert len(names("owner set")) == 4
    with services.database.writing() as session:
        session.get(User, owner.user_id).last_name = "Leavitt"
    assert len(names("leav set")) == 4
    with services.database.writing() as session:
        session.delete(session.get(Product, 1))
    with services.database.reading() as session:
        assert session.scalars(select(ProductWord).where(ProductWord.product_id == 1)).all() == []


def test_rare_and_common_words_find_the_same(services, principal, several, monkeypatch):
    owner = principal("owner")
    rare = {said: found(services, owner, text=said).rows for said in ("set", "wide", "wide deep", "owner", "2")}
    monkeypatch.setattr(product_text, "RARE", 0)
    for said, rows in rare.items():
        assert [row.id for row in found(services, owner, text=said).rows] == [row.id for row in rows]


def test_a_search_counts_up_to_a_limit(services, principal, several, monkeypatch):
    monkeypatch.setattr(product_search, "MOST", 3)
    page = found(services, principal("owner"), text="set", limit=2)
    assert (page.count, page.at_least) == (3, True)
    page = found(services, principal("owner"), text="set", limit=2, count_all=True)
    assert (page.count, page.at_least) == (5, False)
    assert found(services, principal("owner"), text="set", limit=2, counted=False).at_least


def test_words_of_an_older_database_are_found(tmp_path):
    database = Database(f"sqlite:///{tmp_path / 't.sqlite3'}")
    upgrade(database, "0001")
    with database.engine.begin() as connection:
        connection.execute(text("INSERT INTO product_type VALUES (1, 'other', 'Other', 1, '', '2026-01-01')"))
        names = "id, username, first_name, last_name, display_name, role, state, created_at"
        connection.execute(
            text(f"INSERT INTO user_account ({names}) VALUES (1, 'a', '', '', '', 'USER', 'ACTIVE', '2026-01-01')")
        )
        values = {
            "id": 1, "uid": "u", "series": "s", "version": 1, "is_latest": 1, "product_type_id": 1, "owner_id": 1,
            "display_name": "Old one", "description": "Deep", "official": 0, "state": "PUBLISHED",
            "visibility": "RELEASE", "origin": "Upload", "size": 0, "revision": 1, "created_at": "2026-01-01",
            "updated_at": "2026-01-01",
        }  # fmt: skip
        columns = ", ".join(values)
        connection.execute(text(f"INSERT INTO product ({columns}) VALUES (:{', :'.join(values)})"), values)
    upgrade(database)
    with database.reading() as session:
        assert session.scalars(select(ProductWord.word).order_by(ProductWord.word)).all() == ["a", "deep", "old", "one"]
    database.close()


def test_who_asks(services, principal, several):
    assert found(services, principal("colleague")).count == 6
    assert found(services, principal("coordinator")).count == 5
    with pytest.raises(AuthenticationError):
        found(services, NOBODY)
    with pytest.raises(PermissionDeniedError):
        found(services, principal("owner", {Scope.WRITE}))


def test_bad_cursors_are_told(services, principal, several):
    good = cursor_of(found(services, principal("owner")).rows[0], "-created_at")
    for cursor in (
        "", "x", "é", good[:-3], good + "x", "W10", "WzEsMiwzXQ", "bnVsbA", "x" * 5000,
        cursor_with(["-created_at", 1, 1]), cursor_with(["-created_at", "2026-01-01", 1]),
        cursor_with(["-created_at", "2026-01-01T00:00:00+00:00", "1"]),
        cursor_with(["-created_at", "2026-01-01T00:00:00+00:00", 2**40]), cursor_with({"a": 1}),
    ):  # fmt: skip
        with pytest.raises(UsageError, match="cursor"):
            found(services, principal("owner"), cursor=cursor)
    with pytest.raises(UsageError, match="cursor"):
        found(services, principal("owner"), cursor=good, order="id")
    for value in (True, 2**70, "1", None):
        with pytest.raises(UsageError, match="cursor"):
            found(services, principal("owner"), cursor=cursor_with(["size", value, 1]), order="size")


def cursor_with(place):
    import json
    from base64 import urlsafe_b64encode

    return urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")


def test_unknown_words_are_told(services, principal, several):
    with pytest.raises(UsageError, match="ordered by 'color'"):
        found(services, principal("owner"), order="color")
    with pytest.raises(UsageError, match="no filter 'color'"):
        found(services, principal("owner"), filters={"color": "1"})
    for name in FILTERS:
        product_filter(name, "1")


def test_a_large_count_may_be_a_moment_old_and_is_kept_for_one_asker(services, principal, several, monkeypatch):
    monkeypatch.setattr(product_search, "MANY", 1)
    monkeypatch.setattr(product_search, "COUNTS", product_search._Counts())
    owner, colleague = principal("owner"), principal("colleague")
    assert found(services, owner, limit=2).count == 5
    assert found(services, colleague, limit=2).count == 6
    with services.database.writing() as session:
        session.get(Product, 1).state = ProductState.DELETED
    assert found(services, owner, limit=2).count == 5
    assert found(services, owner).count == 4
    assert found(services, owner, limit=2, filters={"product_type": "1"}).count == 2
    monkeypatch.setattr(product_search, "COUNT_SECONDS", 0.0)
    assert found(services, owner, limit=2).count == 4
