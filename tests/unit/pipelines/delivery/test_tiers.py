from __future__ import annotations

import hashlib
import json
import random
import shutil
import stat
from datetime import date

import pytest

from pzcenter.catalogs.storage import file_sha256
from pzcenter.errors import (
    ChecksumError,
    ConfigError,
    EmbargoError,
    FileFormatError,
    NotFoundError,
    OutputExistsError,
    StorageError,
)
from pzcenter.pipelines.delivery import movements, places
from pzcenter.pipelines.delivery.package import build_package
from pzcenter.pipelines.delivery.places import place_of
from pzcenter.pipelines.delivery.release_state import set_state
from pzcenter.pipelines.delivery.scrub import scrub
from pzcenter.pipelines.delivery.send import send
from pzcenter.pipelines.delivery.tiers import promote, read_tiers, receive
from pzcenter.pipelines.delivery.verify import verify_package


@pytest.fixture
def sent(tmp_path):
    """A data set with checksums, as a survey sends it."""
    root = tmp_path / "release"
    chance = random.Random(3)
    for name in ("a/one.parquet", "a/two.parquet", "b/three.parquet"):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(chance.randbytes(20_000))
    sums = [f"{file_sha256(path)}  {path.relative_to(root)}\n" for path in sorted(root.rglob("*.parquet"))]
    (root / "SHA256SUMS").write_text("".join(sums))
    return root


def flip(path, seed=0):
    chance, content = random.Random(seed), bytearray(path.read_bytes())
    content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    path.chmod(0o644)
    path.write_bytes(content)


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


class TestReceive:
    def test_arrives_and_is_recorded(self, sent, tmp_path):
        report = receive(sent, tmp_path / "landing")
        assert report.complete
        assert (report.n_files, report.n_new, report.n_known) == (4, 4, 0)
        for path in sent.rglob("*.parquet"):
            assert (tmp_path / "landing" / "release" / path.relative_to(sent)).read_bytes() == path.read_bytes()
        recorded = lines(tmp_path / "landing" / "movements.jsonl")
        assert [entry["what"] for entry in recorded] == ["receive"]
        assert recorded[0]["mb_per_s"] > 0
        assert recorded[0]["complete"]

    def test_again_moves_nothing(self, sent, tmp_path):
        first = receive(sent, tmp_path / "landing")
        second = receive(sent, tmp_path / "landing")
        assert (second.n_new, second.n_known, second.bytes_moved) == (0, 4, 0)
        assert second.sha256 == first.sha256

    def test_changed_file_is_brought_again(self, sent, tmp_path):
        receive(sent, tmp_path / "landing")
        (sent / "b" / "three.parquet").write_bytes(b"new")
        (sent / "SHA256SUMS").unlink()
        assert receive(sent, tmp_path / "landing").n_new == 1

    def test_damage_in_the_landing_zone_is_noticed(self, sent, tmp_path):
        receive(sent, tmp_path / "landing")
        (tmp_path / "landing" / "release" / "b" / "three.parquet").write_bytes(b"short")
        assert receive(sent, tmp_path / "landing").n_new == 1

    @pytest.mark.parametrize("seed", range(4))
    def test_flipped_bit_goes_into_quarantine(self, sent, tmp_path, seed):
        name = random.Random(seed).choice(["a/one.parquet", "a/two.parquet", "b/three.parquet"])
        good = (sent / name).read_bytes()
        flip(sent / name, seed)
        report = receive(sent, tmp_path / "landing")
        assert not report.complete
        assert [each.path for each in report.quarantined] == [name]
        assert "the sender says" in report.quarantined[0].words
        assert (tmp_path / "landing" / ".quarantine" / "release" / name).is_file()
        assert not (tmp_path / "landing" / "release" / name).exists()
        with pytest.raises(NotFoundError, match="no complete data set"):
            promote(tmp_path / "landing" / "release", tmp_path / "tier1")
        (sent / name).write_bytes(good)
        again = receive(sent, tmp_path / "landing")
        assert again.complete
        assert again.n_new == 1
        assert not (tmp_path / "landing" / ".quarantine" / "release").exists()

    def test_file_that_the_sender_forgot(self, sent, tmp_path):
        (sent / "a" / "one.parquet").unlink()
        report = receive(sent, tmp_path / "landing")
        assert [each.words for each in report.quarantined] == ["is missing at the source"]

    def test_checksums_given_apart(self, sent, tmp_path):
        (sent / "SHA256SUMS").rename(tmp_path / "sums")
        flip(sent / "a" / "one.parquet")
        assert not receive(sent, tmp_path / "landing", checksums=tmp_path / "sums").complete
        with pytest.raises(NotFoundError):
            receive(sent, tmp_path / "landing", checksums=tmp_path / "none")

    def test_damaged_list(self, sent, tmp_path):
        (sent / "SHA256SUMS").write_text("nonsense")
        with pytest.raises(FileFormatError, match="not a line of sha256sum"):
            receive(sent, tmp_path / "landing")

    def test_own_manifests_are_checksums_too(self, catalog, tmp_path):
        copy = shutil.copytree(catalog, tmp_path / "template")
        flip(next((copy / "pz").rglob("Npix*/*.parquet")))
        report = receive(copy, tmp_path / "landing")
        assert [each.path.split("/")[0] for each in report.quarantined] == ["pz"]

    def test_goes_on_in_the_middle_of_a_file(self, sent, tmp_path, monkeypatch):
        monkeypatch.setattr(places, "BLOCK_BYTES", 1000)
        real = places.Place.blocks
        asked = []

        def breaks_down(self, path, start=0):
            for number, block in enumerate(real(self, path, start)):
                if path == "a/two.parquet" and number == 5:
                    raise StorageError(5, "the line is down")
                yield block

        monkeypatch.setattr(places.Place, "blocks", breaks_down)
        report = receive(sent, tmp_path / "landing")
        assert [each.path for each in report.quarantined] == ["a/two.parquet"]
        assert "the line is down" in report.quarantined[0].words

        def watched(self, path, start=0):
            asked.append((path, start))
            return real(self, path, start)

        monkeypatch.setattr(places.Place, "blocks", watched)
        report = receive(sent, tmp_path / "landing")
        assert report.complete
        assert ("a/two.parquet", 5000) in asked
        assert report.bytes_moved == 15_000
        arrived = tmp_path / "landing" / "release" / "a" / "two.parquet"
        assert arrived.read_bytes() == (sent / "a" / "two.parquet").read_bytes()

    def test_part_of_another_file_is_not_continued(self, sent, tmp_path):
        part = tmp_path / "landing" / "release" / "a" / "one.parquet.part"
        part.parent.mkdir(parents=True)
        part.write_bytes(b"something else")
        assert receive(sent, tmp_path / "landing").complete

    def test_disk_that_writes_something_else(self, sent, tmp_path, monkeypatch):
        monkeypatch.setattr(movements, "file_sha256", lambda _: hashlib.sha256(b"").hexdigest())
        (sent / "SHA256SUMS").unlink()
        assert all("on disk" in each.words for each in receive(sent, tmp_path / "landing").quarantined)

    def test_nothing_there(self, tmp_path):
        with pytest.raises(NotFoundError, match="no files"):
            receive(tmp_path / "none", tmp_path / "landing")

    def test_name(self, sent, tmp_path):
        assert receive(sent, tmp_path / "landing", name="dr1").name == "dr1"
        with pytest.raises(ConfigError, match="not a name"):
            receive(sent, tmp_path / "landing", name="../dr1")

    def test_unknown_kind_of_place(self, tmp_path):
        with pytest.raises(ConfigError, match="ftp"):
            receive("ftp://somewhere/x", tmp_path / "landing")


class TestPromote:
    @pytest.fixture
    def landed(self, sent, tmp_path):
        receive(sent, tmp_path / "landing")
        return tmp_path / "landing" / "release"

    def test_read_only_and_registered(self, landed, sent, tmp_path):
        report = promote(landed, tmp_path / "tier1")
        root = tmp_path / "tier1" / "release"
        assert report.n_new == 4
        for path in root.rglob("*"):
            assert not stat.S_IMODE(path.stat().st_mode) & 0o222
        assert not stat.S_IMODE(root.stat().st_mode) & 0o222
        assert (root / "a" / "one.parquet").read_bytes() == (sent / "a" / "one.parquet").read_bytes()
        assert lines(tmp_path / "tier1" / "datasets.jsonl")[0]["sha256"] == report.sha256
        assert lines(tmp_path / "tier1" / "movements.jsonl")[0]["what"] == "promote"
        assert not landed.exists()

    def test_again_does_nothing(self, landed, tmp_path):
        promote(landed, tmp_path / "tier1", keep_landing=True)
        report = promote(landed, tmp_path / "tier1")
        assert (report.n_new, report.n_known) == (0, 4)
        assert len(lines(tmp_path / "tier1" / "datasets.jsonl")) == 1

    def test_never_changed(self, landed, sent, tmp_path):
        promote(landed, tmp_path / "tier1")
        (sent / "a" / "one.parquet").write_bytes(b"other")
        (sent / "SHA256SUMS").unlink()
        receive(sent, tmp_path / "landing")
        with pytest.raises(OutputExistsError, match="never changed"):
            promote(landed, tmp_path / "tier1")

    def test_changed_since_it_arrived(self, landed, tmp_path):
        flip(landed / "a" / "one.parquet")
        (landed / "b" / "three.parquet").unlink()
        with pytest.raises(ChecksumError, match=r"one\.parquet has SHA-256.*three\.parquet is missing"):
            promote(landed, tmp_path / "tier1")
        assert not (tmp_path / "tier1" / "release").exists()


class TestScrub:
    @pytest.fixture
    def tier1(self, sent, tmp_path):
        receive(sent, tmp_path / "landing")
        promote(tmp_path / "landing" / "release", tmp_path / "tier1")
        return tmp_path / "tier1"

    def test_sound(self, tier1):
        report = scrub(tier1)
        assert report.ok
        assert report.n_files == report.n_files_all == 4
        assert report.oldest

    def test_goes_round(self, tier1):
        reports = [scrub(tier1, max_bytes=25_000) for _ in range(4)]
        assert [report.oldest == "" for report in reports[:2]] == [True, True]
        assert reports[-1].oldest
        assert all(report.n_bytes <= 25_000 for report in reports)

    @pytest.mark.parametrize("seed", range(4))
    def test_flipped_bit_is_found_and_mended(self, tier1, tmp_path, seed):
        copy = shutil.copytree(tier1, tmp_path / "copy")
        name = random.Random(seed).choice(["a/one.parquet", "b/three.parquet"])
        flip(tier1 / "release" / name, seed)
        assert scrub(tier1).damaged == (f"release/{name}",)
        report = scrub(tier1, copy=copy)
        assert (report.repaired, report.damaged) == ((f"release/{name}",), ())
        assert (tier1 / "release" / name).read_bytes() == (copy / "release" / name).read_bytes()
        assert not (tier1 / "release" / name).stat().st_mode & 0o222
        assert scrub(tier1).ok

    def test_damaged_copy_mends_nothing(self, tier1, tmp_path):
        copy = shutil.copytree(tier1, tmp_path / "copy")
        flip(tier1 / "release" / "a" / "one.parquet", 1)
        flip(copy / "release" / "a" / "one.parquet", 2)
        assert scrub(tier1, copy=copy).damaged == ("release/a/one.parquet",)

    def test_nothing_registered(self, tmp_path):
        with pytest.raises(NotFoundError, match="no registered"):
            scrub(tmp_path)


class TestSend:
    @pytest.fixture
    def package(self, catalog, tmp_path):
        build_package(catalog, tmp_path / "sim1", state="delegates", by="A. Name")
        return tmp_path / "sim1"

    def test_arrives_whole(self, package, tmp_path):
        report = send(package, tmp_path / "outbox")
        assert report.complete
        assert verify_package(tmp_path / "outbox" / "sim1").ok
        assert send(package, tmp_path / "outbox").n_new == 0
        assert [entry["what"] for entry in lines(tmp_path / "outbox" / "movements.jsonl")] == ["send", "send"]

    def test_drafts_stay(self, catalog, tmp_path):
        build_package(catalog, tmp_path / "draft")
        with pytest.raises(EmbargoError, match="is draft"):
            send(tmp_path / "draft", tmp_path / "outbox")

    def test_embargo(self, package, tmp_path):
        set_state(package, "delegates", by="me", embargo_until=date(2027, 6, 30))
        before = date(2027, 6, 29)
        with pytest.raises(EmbargoError, match="--embargoed-copy"):
            send(package, tmp_path / "outbox", today=before)
        assert not (tmp_path / "outbox").exists()
        assert send(package, tmp_path / "outbox", today=before, embargoed_copy=True).complete
        assert (tmp_path / "outbox" / "sim1").stat().st_mode & 0o777 == 0o700
        assert send(package, tmp_path / "outbox", today=date(2027, 6, 30)).complete

    def test_damaged_package_does_not_become_complete(self, package, tmp_path):
        path = next((package / "catalog" / "pz_pdf").rglob("Npix*/*.parquet"))
        content = path.read_bytes()
        path.unlink()
        path.write_bytes(content[:-1])
        report = send(package, tmp_path / "outbox")
        assert not report.complete
        assert not (tmp_path / "outbox" / "sim1" / "manifest-sha256.txt").exists()

    def test_changed_states(self, package, tmp_path):
        (package / "manifest-sha256.txt").write_text("")
        with pytest.raises(ChecksumError, match="last state"):
            send(package, tmp_path / "outbox")

    def test_only_packages_leave(self, sent, tmp_path):
        with pytest.raises(NotFoundError, match="not a delivery package"):
            send(sent, tmp_path / "outbox")


class TestConfiguration:
    def test_read(self, tmp_path):
        (tmp_path / "tiers.yaml").write_text(
            "landing: in\ntier1: t1\ntier0: fast\ntier0_quota: 2 GB\noutbox: s3://b/out\n"
        )
        tiers = read_tiers(tmp_path / "tiers.yaml")
        assert tiers.environment()["PZ_FAST_TIER_QUOTA"] == "2000000000"
        assert tiers.environment()["PZ_FAST_TIER"].endswith("/fast")

    @pytest.mark.parametrize(
        "text", ["landing: in", "landing: in\ntier1: t\nx: 1", "[", "landing: i\ntier1: t\ntier0_quota: much"]
    )
    def test_not_accepted(self, tmp_path, text):
        (tmp_path / "tiers.yaml").write_text(text)
        with pytest.raises(ConfigError):
            read_tiers(tmp_path / "tiers.yaml")

    def test_not_there(self, tmp_path):
        with pytest.raises(NotFoundError):
            read_tiers(tmp_path / "tiers.yaml")


def test_place_of_a_uri(tmp_path):
    (tmp_path / "a b").mkdir()
    (tmp_path / "a b" / "x").write_text("x")
    place = place_of((tmp_path / "a b").as_uri())
    assert [file.path for file in place.files()] == ["x"]
    with pytest.raises(NotFoundError):
        place.stat("y")
