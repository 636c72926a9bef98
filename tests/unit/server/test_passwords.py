"""Passwords: which are accepted, and how one is compared."""

import threading

import pytest

from pzcenter.errors import UsageError
from pzcenter.server.services import passwords
from pzcenter.server.services.passwords import check_password, hash_password, is_stale, new_password, same_password

GOOD = "some words of mine"


def test_round_trip():
    kept = hash_password(GOOD)
    assert kept.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert same_password(kept, GOOD) and not same_password(kept, GOOD + "!")
    assert kept != hash_password(GOOD)
    assert not is_stale(kept) and is_stale("$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$" + "A" * 43)


def test_one_form_of_letters_that_keyboards_write_in_two_ways():
    assert same_password(hash_password("Ångström und mehr"), "A\u030angstro\u0308m und mehr")


@pytest.mark.parametrize(
    "password",
    ["", "short", "x" * 11, "aaaaaaaaaaaaaaaa", "abababababab", "password12345", "PasswordPassword", "Changeme1234",
     "ada-lovelace1", "correct horse battery staple 2", "x1y2z3w4v5" * 103],
)  # fmt: skip
def test_refused(password):
    with pytest.raises(UsageError):
        check_password(password, username="ada-lovelace1")


def test_accepted():
    for password in (GOOD, new_password(), "пароль из слов", "1234567890ab"):
        check_password(password, username="ada")


def test_nobody_has_no_password_and_costs_the_same(monkeypatch):
    seen, real = [], passwords.HASHER

    class Watched:
        def verify(self, kept, password):
            seen.append(kept)
            return real.verify(kept, password)

    kept = hash_password(GOOD)
    nobodys = passwords._nobodys()
    monkeypatch.setattr(passwords, "HASHER", Watched())
    assert not same_password(None, GOOD) and not same_password(kept, "wrong") and not same_password(kept, "x" * 5000)
    assert seen == [nobodys, kept, nobodys]
    costs = {each.rsplit("$", 2)[0] for each in seen}
    assert len(costs) == 1


def test_a_damaged_hash_opens_nothing():
    assert not same_password("", GOOD) and not same_password("$argon2id$x", GOOD)


def test_few_at_once():
    free = passwords._AT_ONCE
    with free, free:
        done = threading.Event()
        thread = threading.Thread(target=lambda: (hash_password(GOOD), done.set()))
        thread.start()
        assert not done.wait(0.2)
    assert done.wait(10)
    thread.join()
