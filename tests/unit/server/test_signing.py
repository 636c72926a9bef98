"""Signed links: good for what they were made for, for a while."""

import threading

import pytest

from pzcenter.errors import PermissionDeniedError, StorageError
from pzcenter.server.services import signing
from pzcenter.server.services.signing import KEY_NAME, check_signature, sign


def test_good_for_its_words_alone(services):
    token, until = sign(services, ("download", 1, 2), seconds=60)
    assert until.tzinfo is not None
    check_signature(services, token, ("download", 1, 2))
    for words in (("download", 1, 3), ("download", 12), ("other", 1, 2), ("download", "1, 2")):
        with pytest.raises(PermissionDeniedError):
            check_signature(services, token, words)


@pytest.mark.parametrize("token", ["", ".", "1", "1.a", "9" * 30 + ".a", "\u0661.a", "-1.x", "é", "1.é"])
def test_nonsense_is_refused(services, token):
    with pytest.raises(PermissionDeniedError):
        check_signature(services, token, ("download", 1))


def test_its_time_is_signed_too(services):
    token, _ = sign(services, ("download",), seconds=-1)
    with pytest.raises(PermissionDeniedError, match="no longer good"):
        check_signature(services, token, ("download",))
    until, _, mac = token.partition(".")
    with pytest.raises(PermissionDeniedError, match="not good for this"):
        check_signature(services, f"{int(until) + 1000}.{mac}", ("download",))


def test_the_key_is_made_once_and_for_the_server_alone(services, monkeypatch):
    path = services.settings.data_dir / KEY_NAME
    threads = [threading.Thread(target=signing._make_key, args=(path,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert path.stat().st_mode & 0o777 == 0o600
    first, _ = sign(services, ("a",), seconds=1000)
    signing._key.cache_clear()
    check_signature(services, first, ("a",))
    assert [each.name for each in path.parent.iterdir() if "signing" in each.name] == [KEY_NAME]


def test_a_damaged_key_is_told(services):
    path = services.settings.data_dir / KEY_NAME
    path.write_bytes(b"short")
    with pytest.raises(StorageError, match="5 bytes; 32"):
        sign(services, ("a",), seconds=1)
