"""The life of a product."""

import pytest
from sqlalchemy import select

from pzcenter.errors import ConflictError, NotFoundError, PermissionDeniedError, QuotaError, UsageError
from pzcenter.server.services.product_files import add_file, plain_name, remove_file
from pzcenter.server.services.products import (
    NewProduct,
    create_product,
    delete_product,
    edit_product,
    new_version,
    publish_product,
    set_official,
    share_product,
)
from pzcenter.server.services.registry import register_main_file
from pzcenter.server.storage.audit import AuditEvent
from pzcenter.server.storage.products import FileRole, Product, ProductColumn, ProductState, Visibility


def make(services, session, who, kind="training_set", *, publish=False, **more):
    product = create_product(services, session, who, NewProduct("My Set v1.0 (test)", kind, **more))
    content = services.store.put([b"z\n", b"0.5\n"])
    add_file(services, session, who, product.id, content, name="a/b/set.csv", role=FileRole.MAIN)
    product.columns = [ProductColumn(name="redshift", order=0, alias="z")]
    return publish_product(session, who, product.id) if publish else product


def test_from_beginning_to_end(services, principal):
    owner = principal("owner")
    with services.database.writing() as session:
        product = make(services, session, owner, release="dp1", tags=("Deep", "deep ", "lsst"))
        assert product.internal_name == f"{product.id}_my_set_v10_test"
        assert [tag.tag for tag in product.tags] == ["deep", "lsst"]
        assert product.main_file.name == "set.csv"
        assert product.main_file.media_type == "text/csv"
        assert product.size == 6
        publish_product(session, owner, product.id)
        assert product.state is ProductState.PUBLISHED
        with pytest.raises(PermissionDeniedError, match="it is published"):
            publish_product(session, owner, product.id)
        with pytest.raises(PermissionDeniedError):
            add_file(services, session, owner, product.id, services.store.put([b"x"]), name="x", role=FileRole.MAIN)
        with pytest.raises(PermissionDeniedError, match="new version"):
            remove_file(session, owner, product.main_file.id)
        note = add_file(services, session, owner, product.id, services.store.put([b"note"]), name="note.md")
        remove_file(session, owner, note.id)
        edit_product(session, owner, product.id, {"description": "better"}, tags=["new"])
        second = new_version(services, session, owner, product.uid)
        assert (second.series, second.version, second.is_latest) == (product.series, 2, False)
        with pytest.raises(ConflictError, match="under way"):
            new_version(services, session, owner, product.id)
        add_file(services, session, owner, second.id, services.store.put([b"2"]), name="2.csv", role=FileRole.MAIN)
        second.columns = [ProductColumn(name="redshift", order=0, alias="z")]
        publish_product(session, owner, second.id)
        session.refresh(product)
        assert (product.is_latest, second.is_latest) == (False, True)
        delete_product(session, owner, second.id)
        assert product.is_latest
        with pytest.raises(NotFoundError):
            edit_product(session, owner, second.id, {"description": "?"})
        actions = list(session.scalars(select(AuditEvent.action)))
        assert {"product.create", "file.add", "product.publish", "product.edit", "product.delete"} <= set(actions)


def test_what_is_refused(services, principal):
    owner = principal("owner")
    with services.database.writing() as session:
        for words, error in (
            ({"display_name": " ", "product_type": "other"}, UsageError),
            ({"display_name": "x", "product_type": "Training Set"}, NotFoundError),
            ({"display_name": "x", "product_type": "redshift_catalog", "release": "dp1"}, UsageError),
            ({"display_name": "x", "product_type": "training_set", "pz_code": "BPZ"}, UsageError),
            ({"display_name": "x", "product_type": "other", "release": "dp2"}, NotFoundError),
            ({"display_name": "x", "product_type": "other", "release": "dp9"}, NotFoundError),
            ({"display_name": "x", "product_type": "other", "official": True}, PermissionDeniedError),
            ({"display_name": "x", "product_type": "other", "description": "x" * 200_000}, UsageError),
        ):
            with pytest.raises(error):
                create_product(services, session, owner, NewProduct(**words))
        empty = create_product(services, session, owner, NewProduct("x", "redshift_catalog"))
        with pytest.raises(ConflictError, match="no main file"):
            publish_product(session, owner, empty.id)
        add_file(services, session, owner, empty.id, services.store.put([b"x"]), name="x.csv", role=FileRole.MAIN)
        with pytest.raises(ConflictError, match="Dec, RA, z"):
            publish_product(session, owner, empty.id)
        with pytest.raises(UsageError, match="'state' cannot be changed"):
            edit_product(session, owner, empty.id, {"state": "published"})
        with pytest.raises(NotFoundError):
            edit_product(session, principal("colleague"), empty.id, {"description": "mine now"})


def test_quota(services, principal):
    owner = principal("owner")
    with services.database.writing() as session:
        product = make(services, session, owner)
        product.owner.quota_bytes = 10
        session.flush()
        with pytest.raises(QuotaError, match="6 bytes; 5 more would exceed your 10"):
            add_file(services, session, owner, product.id, services.store.put([b"12345"]), name="n.txt")


def test_official_products_belong_to_the_coordinators(services, principal):
    with services.database.writing() as session:
        product = make(services, session, principal("owner"), publish=True)
        with pytest.raises(PermissionDeniedError):
            set_official(session, principal("owner"), product.id, official=True)
        set_official(session, principal("coordinator"), product.id, official=True)
        with pytest.raises(PermissionDeniedError):
            delete_product(session, principal("owner"), product.id)


def test_sharing(services, principal):
    with services.database.writing() as session:
        product = make(services, session, principal("owner"), release="dp1", publish=True)
        share_product(session, principal("owner"), product.id, visibility=Visibility.SHARED, users=["colleague"])
        with pytest.raises(NotFoundError, match="not found: nobody"):
            share_product(session, principal("owner"), product.id, groups=["nobody"])
        number = product.id
    with services.database.reading() as session:
        assert session.get(Product, number).visibility is Visibility.SHARED


@pytest.mark.parametrize(
    ("name", "plain"), [("../../etc/passwd", "passwd"), ("a\\b\\c.csv", "c.csv"), ('a"b\n<c>.fits', "abc.fits")]
)
def test_names_of_files(name, plain):
    assert plain_name(name) == plain


@pytest.mark.parametrize("name", ["", "..", "/", "\n"])
def test_names_that_are_none(name):
    with pytest.raises(UsageError):
        plain_name(name)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("name,ra,dec,z\na,1,2,unknown\nb,3,4,n/a\n", "redshifts are numbers, and column z is string"),
        ("name,ra,dec,z\na,1,2,\nb,3,4,nan\n", "z has no value in any row"),
    ],
)
def test_redshifts_that_are_none_are_not_published(services, principal, made, text, why):
    owner = principal("owner")
    number = made(owner, text=text.encode(), publish=False)
    register_main_file(services, owner, number)
    with pytest.raises(ConflictError, match=why), services.database.writing() as session:
        publish_product(session, owner, number)
