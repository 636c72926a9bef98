"""The client against a true server and against its mock: the same tests."""

import asyncio
import hashlib

import pytest

from pzcenter.client import PZClient
from pzcenter.errors import (
    AuthenticationError,
    ColumnError,
    ConfigError,
    ConflictError,
    FileFormatError,
    NotFoundError,
    OutputExistsError,
    PermissionDeniedError,
    PreconditionError,
    UsageError,
)

CSV = "id,ra,dec,z\n" + "".join(f"{n},{n / 100},{-n / 100},{n / 1000}\n" for n in range(300))


@pytest.fixture
def csv(tmp_path):
    path = tmp_path / "training.csv"
    path.write_text(CSV)
    return path


def published(client, path, name="Training", **words):
    product = client.create_product(name, "training_set", **words)
    client.upload_file(product, path)
    client.edit_columns(product.id, {"z": "z"})
    return client.publish(product.id)


def test_a_deleted_source_is_told_as_deleted(world, csv):
    ada = world.client("ada")
    first = published(ada, csv, release="dp1")
    second = ada.new_version(first)
    ada.delete_product(first.id)
    assert {node.label for node in ada.provenance(second).nodes} == {"Training", "deleted"}


def test_who_asks_and_what_there_is(world):
    me = world.client("ada").whoami()
    assert (me.username, me.role, me.groups, me.releases) == ("ada", "user", ["team"], ["dp1"])
    assert me.scopes == ["read", "write"] or set(me.scopes) == {"admin", "read", "write"}
    assert [kind.name for kind in world.client("ada").product_types()][:2] == ["redshift_catalog", "training_set"]
    assert [release.name for release in world.client("ada").releases()] == ["dp1"]
    with pytest.raises(AuthenticationError):
        world.client().whoami()


def test_a_refused_main_file_is_replaced(world, tmp_path):
    ada, path = world.client("ada"), tmp_path / "a.csv"
    path.write_text("a,z\n")
    numbers = set()
    for _ in range(2):
        with pytest.raises(FileFormatError, match=r"a\.csv was refused: .*rows"):
            ada.upload(path, "Empty", "training_set", columns={"z": "z"})
        numbers |= {each.id for each in ada.products(owner="ada", state=["failed"])}
    (number,) = numbers
    assert "rows" in ada.product(number).failure
    path.write_text("a,z\n1,0.5\n")
    told = ada.upload(path, "Empty", "training_set", columns={"z": "z"}, publish=True)
    assert (told.id, told.state, told.n_rows, told.failure) == (number, "published", 1, None)


def test_a_product_from_its_beginning_to_its_end(world, csv, tmp_path):
    ada, ben = world.client("ada"), world.client("ben")
    product = ada.create_product("Spectra", "training_set", release="dp1", description="**Mine**", tags=["Deep"])
    assert (product.state, product.tags, product.owner.username) == ("registering", ["deep"], "ada")
    assert product.missing_columns == ["z"] and product.created_at.tzinfo is not None
    with pytest.raises(NotFoundError):
        ben.product(product.id)
    with pytest.raises(ConflictError):
        ada.publish(product)
    seen = []
    filled = ada.upload_file(product, csv, progress=lambda done, size: seen.append((done, size)))
    assert filled.main_file.sha256 == hashlib.sha256(CSV.encode()).hexdigest()
    assert seen[-1] == (len(CSV), len(CSV)) and filled.size == len(CSV)
    columns = ada.edit_columns(product, {"z": "z", "ra": {"alias": "RA", "unit": "deg"}})
    assert {column.name: column.alias for column in columns}["ra"] == "RA"
    with pytest.raises(ColumnError):
        ada.edit_columns(product, {"nosuch": "z"})
    done = ada.publish(product)
    assert done.state == "published" and done.published_at is not None
    assert ben.product(product.uid).may == ["see", "comment"]
    path = ben.download(product.id, tmp_path / "there")
    assert path.read_text() == CSV and path.name == "training.csv"
    assert not list(path.parent.glob("*.part*"))
    assert ben.download(product.id, tmp_path / "there") == path
    path.write_text("another")
    with pytest.raises(OutputExistsError):
        ben.download(product.id, tmp_path / "there")
    assert ben.download(product.id, tmp_path / "there", overwrite=True).read_text() == CSV
    assert ben.download(product.id, tmp_path, everything=True).read_bytes()[:2] == b"PK"
    with pytest.raises(PermissionDeniedError):
        ben.delete_product(product)
    ada.delete_product(product.id)
    with pytest.raises(NotFoundError):
        ada.product(product.id)


def test_an_edit_does_not_undo_somebody_elses(world):
    ada = world.client("ada")
    first = ada.create_product("Mine", "other")
    second = ada.edit_product(first, description="one", doi="10.1000/x")
    assert second.revision == first.revision + 1 and second.doi == "10.1000/x"
    with pytest.raises(PreconditionError):
        ada.edit_product(first, description="two")
    assert ada.edit_product(first.id, doi=None).doi is None
    with pytest.raises(UsageError):
        ada.edit_product(first.id, owner="ben")
    with pytest.raises(UsageError):
        ada.edit_product(first.id)


def test_errors_are_those_of_the_server(world):
    ada = world.client("ada")
    with pytest.raises(NotFoundError, match="galaxies"):
        ada.create_product("x", "galaxies")
    with pytest.raises(UsageError, match="display_name"):
        ada.create_product("", "other")
    with pytest.raises(PermissionDeniedError):
        ada.create_product("x", "other", official=True)
    with pytest.raises(NotFoundError, match="dp2"):
        ada.create_product("x", "other", release="dp2")
    with pytest.raises(PermissionDeniedError, match="read"):
        world.client("ada", scopes=["read"]).create_product("x", "other")
    with pytest.raises(NotFoundError):
        ada.request("GET", "nosuchthing")


def test_lists_have_all_pages_and_filters(world, csv, monkeypatch):
    ada = world.client("ada")
    tag = "run" + hashlib.sha256(str(csv).encode()).hexdigest()[:8]
    made = [ada.create_product(f"Piece {n}x", "other" if n % 2 else "training_set", tags=[tag]) for n in range(7)]
    monkeypatch.setattr("pzcenter.client.procedures.PER_PAGE", 3)
    assert [each.id for each in ada.products(tag=tag, sort="id")] == [each.id for each in made]
    assert [each.id for each in ada.products(tag=tag, sort="-id", limit=2)] == [made[6].id, made[5].id]
    assert len(list(ada.products("piece 3X", tag=tag))) == 1
    assert len(list(ada.products(tag=tag, product_type=["other"], owner="ada", state="registering"))) == 3
    assert list(ada.products(tag=tag, official=True)) == list(ada.products(tag=tag, release="dp1")) == []
    assert list(world.client("ben").products(tag=tag)) == []
    with pytest.raises(UsageError):
        list(ada.products(sort="nosuch"))


def test_versions_sharing_comments_and_citations(world, csv):
    ada, ben, tea = world.client("ada"), world.client("ben"), world.client("tea")
    product = published(ada, csv, release="dp1")
    sharing = ada.share(product, visibility="shared", groups=["team"], embargo_until="2999-01-01")
    assert (sharing.groups, sharing.embargo_until.year) == (["team"], 2999)
    assert ada.sharing(product) == sharing
    assert tea.product(product.id).display_name == "Training"
    with pytest.raises(NotFoundError):
        ben.product(product.id)
    assert ada.share(product, users=["ben"], embargo_until=None).users == ["ben"]
    assert ben.product(product.id).id == product.id
    with pytest.raises(NotFoundError):
        ada.share(product, groups=["nosuch"])
    comment = ben.add_comment(product, "Fine.")
    assert [each.text for each in ada.comments(product)] == ["Fine."] and comment.author.username == "ben"
    with pytest.raises(PermissionDeniedError):
        ada.delete_comment(product, comment)
    ben.delete_comment(product, comment)
    assert ada.comments(product) == []
    assert ada.set_tags(product, ["B", "a"]) == ["a", "b"]
    assert ada.citation(product).startswith("@misc{pzserver:")
    second = ada.new_version(product)
    assert (second.version, second.is_latest, second.series) == (2, False, product.series)
    assert [each.version for each in ada.versions(product)] == [2, 1]
    graph = ada.provenance(second)
    assert [(edge.role, edge.source) for edge in graph.edges] == [("version", product.uid)]
    assert {node.label for node in graph.nodes} == {"Training"}
    with pytest.raises(ConflictError):
        ada.new_version(product)
    with pytest.raises(PermissionDeniedError):
        ada.set_official(product)
    published_one = published(ada, csv, name="For all")
    assert world.client("coord").set_official(published_one.id).official


def test_files_beside_the_main_one(world, csv, tmp_path):
    ada = world.client("ada")
    product = published(ada, csv)
    note = tmp_path / "notes.txt"
    note.write_text("Hello.")
    told = ada.upload_file(product, note, role="auxiliary")
    assert [file.role for file in told.files] == ["main", "auxiliary"] == [file.role for file in ada.files(product)]
    assert ada.download_file(told.files[1], tmp_path / "x").read_text() == "Hello."
    ada.remove_file(told.files[1])
    assert len(ada.files(product)) == 1
    with pytest.raises(PermissionDeniedError):
        ada.remove_file(told.files[0])
    with pytest.raises((ConflictError, PermissionDeniedError)):
        ada.upload_file(product, note)
    with pytest.raises(NotFoundError):
        ada.upload_file(product, tmp_path / "nosuch")


def test_tokens_are_made_and_revoked(world):
    ada = world.client("ada")
    token = ada.make_token("notebook", scopes=["read"], days=30)
    assert token.secret and token.secret not in repr(token)
    assert "notebook" in [each.name for each in ada.tokens()] and all(each.secret is None for each in ada.tokens())
    ada.revoke_token(token)
    assert token.id not in [each.id for each in ada.tokens()]


def test_a_table_is_opened(world, csv):
    table = world.client("ada").table(published(world.client("ada"), csv))
    assert table.colnames == ["id", "ra", "dec", "z"] and len(table) == 300


def test_the_same_without_waiting(world, csv, tmp_path):
    async def all_at_once():
        async with world.async_client("ada") as ada:
            names = ["One", "Two", "Three"]
            made = await asyncio.gather(*(ada.create_product(name, "training_set", tags=["async"]) for name in names))
            filled = await asyncio.gather(*(ada.upload_file(each, csv) for each in made))
            await ada.edit_columns(filled[0], {"z": "z"})
            product = await ada.publish(filled[0].id)
            path = await ada.download(product, tmp_path / "a")
            table = await ada.table(product)
            found = [each.display_name async for each in ada.products(tag="async", owner="ada", sort="id", limit=50)]
            with pytest.raises(NotFoundError):
                await ada.product(999_999)
            return path.read_text(), found[-3:], len(table)

    text, found, n = asyncio.run(all_at_once())
    assert text == CSV and sorted(found) == ["One", "Three", "Two"] and n == 300


def test_a_token_does_not_travel_in_the_open():
    with pytest.raises(ConfigError, match="https"):
        PZClient("http://pz.example.org", "secret")
    assert PZClient("http://pz.example.org", "secret", insecure=True).base == "http://pz.example.org/api/v2/"
    assert PZClient("https://pz.example.org/api/", "x").base == "https://pz.example.org/api/v2/"
    with pytest.raises(ConfigError):
        PZClient("pz.example.org")
    client = PZClient("https://pz.example.org", "secret")
    assert "secret" not in repr(client)
    with pytest.raises(ConfigError, match="not sent"):
        client.request("GET", "https://elsewhere.example.org/x")
