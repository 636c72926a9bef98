"""People come in on PostgreSQL as on SQLite; an invitation that two accept at once makes one account."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import func, select

from pzcenter.errors import NotFoundError
from pzcenter.server.services.accounts import change_password, sign_in
from pzcenter.server.services.audit_log import AuditQuery, find_events
from pzcenter.server.services.context import open_services
from pzcenter.server.services.first_admin import first_admin
from pzcenter.server.services.groups import create_group, list_groups, synchronise_groups
from pzcenter.server.services.identities import arrive
from pzcenter.server.services.invitations import accept_invitation, invite
from pzcenter.server.services.my_tokens import ask_token
from pzcenter.server.services.principal import NOBODY, principal_of
from pzcenter.server.services.releases import create_release, give_right, rights_of, take_right
from pzcenter.server.services.sessions import sign_out_everywhere, sweep_sessions
from pzcenter.server.services.tokens import token_principal
from pzcenter.server.services.users import NewUser, list_users, set_state
from pzcenter.server.settings import OidcProvider, ServerSettings
from pzcenter.server.storage.accounts import User, UserState
from pzcenter.server.storage.make_tables import make_tables

PASSWORD = "a password of words"


@pytest.fixture
def services(postgres_url, tmp_path):
    opened = open_services(ServerSettings(data_dir=tmp_path / "server", database_url=postgres_url))
    make_tables(opened.database)
    yield opened
    opened.close()


def test_people_come_in(services):
    secret = first_admin(services)
    with services.database.writing() as session:
        admin = token_principal(session, secret)
        create_release(session, admin, "dp1")
        create_group(session, admin, "team")
        _, code = invite(session, admin, groups=["team"], releases=["dp1"])

    def accept(name):
        try:
            return accept_invitation(services, NOBODY, code, NewUser(name), PASSWORD)
        except NotFoundError:
            return None

    with ThreadPoolExecutor(4) as pool:
        made = [each for each in pool.map(accept, ("ada", "bob", "cyd", "dan")) if each is not None]
    assert len(made) == 1
    with services.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(User)) == 2
        user = session.get_one(User, made[0])
        asker = principal_of(session, user)
        assert len(asker.release_ids) == len(asker.group_ids) == 1
        assert [each.username for each in list_users(session, asker, search=user.username.upper())] == [user.username]
    assert sign_in(services, NOBODY, user.username, PASSWORD, address="192.0.2.1").user_id == user.id
    change_password(services, asker, PASSWORD, PASSWORD + "!")
    with services.database.writing() as session:
        ask_token(services, session, asker, "mine", days=3)
        assert sign_out_everywhere(session, asker, tokens=True) == 0
        give_right(session, admin, "dp1", group="team")
        assert len(rights_of(session, admin, "dp1")) == 2
        take_right(session, admin, "dp1", group="team")
        assert synchronise_groups(session, user.id, "rubin", ["a", "b"]) == 0
        assert [each.name for each in list_groups(session, admin)] == ["rubin:a", "rubin:b", "team"]
        set_state(session, admin, user.username, UserState.DISABLED)
        assert sweep_sessions(session) == 0
        assert len(find_events(session, admin, AuditQuery(action="user", username="admin", limit=2))) == 2


def test_claims_give_and_take(services):
    provider = OidcProvider(name="rubin", title="Rubin", issuer="https://idp", client_id="pz", admits=True)
    first_admin(services)
    for claimed, number in ((["dp1", "dp2"], 2), (["dp2"], 1), ([], 0)):
        with services.database.writing() as session:
            admin = principal_of(session, session.scalars(select(User).where(User.username == "admin")).one())
            if number == 2:
                create_release(session, admin, "dp1")
                create_release(session, admin, "dp2")
            user = arrive(services, session, NOBODY, provider, {"sub": "7", "data_rights": claimed})
            assert len(principal_of(session, user).release_ids) == number
