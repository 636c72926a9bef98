"""The server on PostgreSQL: its tables, its rules, its queue."""

from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import inspect, select

from pzcenter.server.services.context import open_services
from pzcenter.server.services.jobs.queue import JobQueue
from pzcenter.server.services.principal import principal_of
from pzcenter.server.services.product_files import add_file
from pzcenter.server.services.products import NewProduct, create_product, publish_product
from pzcenter.server.settings import ServerSettings
from pzcenter.server.storage.accounts import Role, User, UserState
from pzcenter.server.storage.database import Database
from pzcenter.server.storage.make_tables import make_tables
from pzcenter.server.storage.migrate import differences, downgrade, head_revision, upgrade
from pzcenter.server.storage.products import FileRole, Product, ProductType


def test_tables_go_forward_and_back(postgres_url):
    database = Database(postgres_url)
    try:
        with ThreadPoolExecutor(4) as pool:
            # Several workers begin at the same time.
            list(pool.map(upgrade, [database] * 4, [head_revision()] * 4))
        assert differences(database) == []
        downgrade(database)
        assert inspect(database.engine).get_table_names() == ["alembic_version"]
        upgrade(database)
        assert differences(database) == []
    finally:
        database.close()


def test_a_product_and_the_queue(postgres_url, tmp_path):
    settings = ServerSettings(data_dir=tmp_path / "server", database_url=postgres_url)
    services = open_services(settings)
    try:
        make_tables(services.database)
        make_tables(services.database)
        with services.database.writing() as session:
            assert len(session.scalars(select(ProductType)).all()) == 7
            user = User(username="owner", role=Role.USER, state=UserState.ACTIVE)
            session.add(user)
            session.flush()
            who = principal_of(session, user)
            product = create_product(services, session, who, NewProduct("A file", "other"))
            content = services.store.put([b"x"])
            add_file(services, session, who, product.id, content, name="x.bin", role=FileRole.MAIN)
            publish_product(session, who, product.id)
        with services.database.reading() as session:
            assert session.scalar(select(Product)).published_at.tzinfo is not None
        queue = JobQueue(settings)
        queue.put(7)
        assert len(queue) == 1
        task = queue.huey.dequeue()
        assert task.args == (7,)
        queue.close()
    finally:
        services.close()
