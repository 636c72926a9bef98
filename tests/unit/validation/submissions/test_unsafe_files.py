"""What would run code, reach out of its place, fill the disk, or is damaged: refused by name, and others go on."""

from __future__ import annotations

import gzip
import io
import pickle
import tarfile
import zipfile

import h5py
import numpy as np
import pytest

from pzcenter.errors import EmptyTableError, FileFormatError, NotFoundError
from pzcenter.validation.submissions import ArchiveLimits, open_submission, open_submissions, unpack
from pzcenter.validation.submissions.content import content_kind


class _Bomb:
    """Runs code when it is unpickled."""

    def __reduce__(self):
        return (pytest.fail, ("a pickle was opened",))


PICKLES = {f"protocol {n}": pickle.dumps([_Bomb()], protocol=n) for n in range(6)}
PICKLES["a dict of protocol 0"] = pickle.dumps({"a": _Bomb()}, protocol=0)
PICKLES["a bare call of protocol 0"] = pickle.dumps(_Bomb(), protocol=0)
PICKLES["compressed"] = gzip.compress(pickle.dumps([_Bomb()]))


def _object_array():
    buffer = io.BytesIO()
    np.save(buffer, np.array([_Bomb()], dtype=object), allow_pickle=True)
    return buffer.getvalue()


PICKLES["array of objects"] = _object_array()


@pytest.mark.parametrize("name", ["submission.hdf5", "submission.pkl", "submission.csv"])
@pytest.mark.parametrize("kind", PICKLES)
def test_a_pickle_is_refused_whatever_its_name(tmp_path, kind, name):
    path = tmp_path / name
    path.write_bytes(PICKLES[kind])
    with pytest.raises(FileFormatError, match=rf"{name} is a Python pickle"):
        open_submission(path)


@pytest.mark.parametrize("header", ["object_id,z_phot\n1,0.5\n", "catalog_id\n", "id z_best\n1 0.5\n"])
def test_a_table_in_text_is_no_pickle(tmp_path, header):
    path = tmp_path / "t.csv"
    path.write_text(header)
    assert content_kind(path) == "text"


def test_nothing_and_no_file_are_named(tmp_path):
    with pytest.raises(NotFoundError, match="no submission at"):
        open_submission(tmp_path / "nothing.hdf5")
    (tmp_path / "empty.hdf5").touch()
    with pytest.raises(EmptyTableError, match=r"empty.hdf5 is empty"):
        open_submission(tmp_path / "empty.hdf5")
    with pytest.raises(FileFormatError, match="neither a file nor a directory"):
        open_submission("/dev/null")
    (tmp_path / "noise.hdf5").write_bytes(bytes(range(1, 255)) * 40 + b"\x00")
    with pytest.raises(FileFormatError, match="which no reader knows"):
        open_submission(tmp_path / "noise.hdf5")


@pytest.mark.parametrize("share", [0.3, 0.9, 0.999])
def test_a_truncated_hdf5_file_is_named(tmp_path, qp_file, share):
    data = qp_file.read_bytes()
    path = tmp_path / "cut.hdf5"
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(FileFormatError, match=r"cut.hdf5.*(damaged|cut short)"):
        open_submission(path)


def test_a_truncated_parquet_or_fits_file_is_named(tmp_path, truth):
    import pyarrow as pa
    import pyarrow.parquet as pq
    from astropy.io import fits

    pq.write_table(pa.table({"id": truth.ids, "z_phot": truth.z}), tmp_path / "a.parquet")
    data = (tmp_path / "a.parquet").read_bytes()
    (tmp_path / "a.parquet").write_bytes(data[: len(data) // 2])
    columns = [fits.Column("id", "K", array=truth.ids), fits.Column("pdf", "301E", array=truth.pdf)]
    fits.BinTableHDU.from_columns(columns).writeto(tmp_path / "a.fits")
    data = (tmp_path / "a.fits").read_bytes()
    (tmp_path / "a.fits").write_bytes(data[: len(data) // 2])
    for name in ("a.parquet", "a.fits"):
        with pytest.raises(FileFormatError, match=rf"{name}.*cut short"):
            open_submission(tmp_path / name)


# --- HDF5 that reaches out


def test_links_out_of_an_hdf5_file_are_refused(tmp_path, qp_file):
    for link in (h5py.ExternalLink(str(qp_file), "/data/yvals"), h5py.SoftLink("/meta/xvals")):
        with h5py.File(qp_file, "r+") as file:
            file["data/more"] = link
        with pytest.raises(FileFormatError, match="'data/more' is a link"):
            open_submission(qp_file)
        with h5py.File(qp_file, "r+") as file:
            del file["data/more"]


def test_hdf5_data_in_other_files_are_refused(tmp_path, qp_file):
    (tmp_path / "secret").write_bytes(bytes(8 * 40))
    with h5py.File(qp_file, "r+") as file:
        file.create_dataset("ancil/z_best", (40,), "f8", external=[(str(tmp_path / "secret"), 0, 320)])
    with pytest.raises(FileFormatError, match="from another file"):
        open_submission(qp_file)


def test_virtual_hdf5_data_are_refused(qp_file):
    with h5py.File(qp_file, "r+") as file:
        layout = h5py.VirtualLayout((40,), "f8")
        layout[:] = h5py.VirtualSource(str(qp_file), "ancil/zmode", (40,))
        file.create_virtual_dataset("ancil/z_best", layout)
    with pytest.raises(FileFormatError, match="from another file"):
        open_submission(qp_file)


def test_objects_in_hdf5_are_refused(qp_file):
    blob = np.frombuffer(PICKLES["protocol 4"], dtype=f"V{len(PICKLES['protocol 4'])}")
    with h5py.File(qp_file, "r+") as file:
        file["ancil/model"] = blob
    with pytest.raises(FileFormatError, match="objects or opaque bytes"):
        open_submission(qp_file)
    with h5py.File(qp_file, "r+") as file:
        del file["ancil/model"]
        ragged = file.create_dataset("ancil/ragged", (40,), h5py.vlen_dtype(np.uint8))
        ragged[0] = np.frombuffer(PICKLES["protocol 4"], np.uint8)
    with pytest.raises(FileFormatError, match="objects or opaque bytes"):
        open_submission(qp_file)


def test_chunks_that_unpack_to_much_are_refused(qp_file):
    with h5py.File(qp_file, "r+") as file:
        del file["data/yvals"]
        file.create_dataset("data/yvals", (10**6, 301), "f8", chunks=(10**6, 301), compression="gzip")
    with pytest.raises(FileFormatError, match="stored in chunks of 2408000000 bytes"):
        open_submission(qp_file)


# --- archives


def _tar(path, members, mode="w"):
    with tarfile.open(path, mode) as archive:
        for name, content in members.items():
            info = content if isinstance(content, tarfile.TarInfo) else tarfile.TarInfo(name)
            data = b"" if isinstance(content, tarfile.TarInfo) else content
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def _zip(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tar.gz", "renamed"])
def test_an_archive_of_one_submission_is_read(tmp_path, qp_file, truth, name):
    members = {"mine/README.txt": b"hello", "mine/good.hdf5": qp_file.read_bytes(), "mine/model.pkl": b"no pickle"}
    if name.endswith("zip"):
        path = _zip(tmp_path / name, members)
    else:
        path = _tar(tmp_path / name, members, "w:gz" if name.endswith("gz") else "w")
    submission = open_submission(path)
    assert submission.name == "good"
    assert sum(chunk.pz.shape[0] for chunk in submission.chunks(7)) == truth.ids.size
    opened = open_submissions(path)
    assert list(opened.submissions) == ["mine/good"]
    assert opened.left_out == {"mine/model.pkl": "a Python pickle or model, which is never opened"}


@pytest.mark.parametrize("name", ["../evil.csv", "/etc/evil.csv", "a/../../evil.csv", "..\\evil.csv", "C:/evil.csv"])
def test_names_that_lead_out_of_an_archive_are_refused(tmp_path, name):
    inner = tmp_path / "inner"
    inner.mkdir()
    for path in (_tar(tmp_path / "a.tar", {name: b"id,z\n"}), _zip(tmp_path / "a.zip", {name: b"id,z\n"})):
        with pytest.raises(FileFormatError, match="leads out of the archive"):
            unpack(path, inner)
        with pytest.raises(FileFormatError, match="leads out of the archive"):
            open_submission(path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.tar", "a.zip", "inner"]
    assert not list(inner.iterdir())


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_in_a_tar_are_refused(tmp_path, kind):
    info = tarfile.TarInfo("good.csv")
    info.type, info.linkname = kind, "/etc/passwd"
    with pytest.raises(FileFormatError, match="link or a device"):
        open_submission(_tar(tmp_path / "a.tar", {"good.csv": info}))


def test_links_in_a_zip_are_refused(tmp_path):
    info = zipfile.ZipInfo("good.csv")
    info.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(info, "/etc/passwd")
    with pytest.raises(FileFormatError, match="link or a device"):
        open_submission(tmp_path / "a.zip")


def test_bombs_are_refused_before_they_fill_the_disk(tmp_path):
    zeros = bytes(80 << 20)
    for path in (_zip(tmp_path / "a.zip", {"a.csv": zeros}), _tar(tmp_path / "a.tgz", {"a.csv": zeros}, "w:gz")):
        (tmp_path / "inner").mkdir(exist_ok=True)
        with pytest.raises(FileFormatError, match="times its own size"):
            unpack(path, tmp_path / "inner")
    (tmp_path / "small").mkdir()
    path = _tar(tmp_path / "b.tar", {"a.csv": b"x" * 2000})
    with pytest.raises(FileFormatError, match="accepted are 1000 bytes"):
        unpack(path, tmp_path / "small", limits=ArchiveLimits(max_bytes=1000))
    path = _zip(tmp_path / "c.zip", {"a.csv": b"1", "b.csv": b"2"})
    with pytest.raises(FileFormatError, match="more than 1 members"):
        unpack(path, tmp_path / "small", limits=ArchiveLimits(max_members=1))


def test_a_zip_that_lies_about_its_size_is_refused(tmp_path):
    path = _zip(tmp_path / "a.zip", {"a.csv": bytes(1 << 20)})
    data = path.read_bytes().replace((1 << 20).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    path.write_bytes(data)
    (tmp_path / "inner").mkdir()
    with pytest.raises(FileFormatError, match=r"a\.zip"):
        unpack(path, tmp_path / "inner", limits=ArchiveLimits(max_bytes=1000))


def test_headers_without_end_are_refused(tmp_path):
    info = tarfile.TarInfo("a.csv")
    info.pax_headers = {"comment": "x" * (2 << 20)}
    with tarfile.open(tmp_path / "a.tar", "w", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(info)
    with pytest.raises(FileFormatError, match="header of"):
        open_submission(tmp_path / "a.tar")


def test_doubled_and_damaged_members_are_refused(tmp_path, qp_file):
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for _ in range(2):
            info = tarfile.TarInfo("a.csv")
            info.size = 3
            archive.addfile(info, io.BytesIO(b"id\n"))
    with pytest.raises(FileFormatError, match=r"two members of the name 'a.csv'"):
        open_submission(tmp_path / "a.tar")
    data = _tar(tmp_path / "b.tgz", {"good.hdf5": qp_file.read_bytes()}, "w:gz").read_bytes()
    (tmp_path / "b.tgz").write_bytes(data[: len(data) // 2])
    with pytest.raises(FileFormatError, match=r"b\.tgz cannot be unpacked"):
        open_submission(tmp_path / "b.tgz")


def test_an_archive_of_pickles_only_is_refused_and_names_them(tmp_path):
    members = {"archive/data.pkl": PICKLES["protocol 2"], "archive/weights.bin": PICKLES["protocol 4"]}
    with pytest.raises(FileFormatError, match=r"no file that could be a submission.*data\.pkl.*weights\.bin"):
        open_submission(_zip(tmp_path / "model.pt", members))


def test_a_bad_submission_does_not_stop_the_others(tmp_path, qp_file, truth):
    members = {
        "a/good.hdf5": qp_file.read_bytes(),
        "b/cut.hdf5": qp_file.read_bytes()[:5000],
        "c/points.csv": "object_id,z_phot\n" + "\n".join(f"{i},0.5" for i in truth.ids),
        "d/text.csv": "object_id,mag\n1,2\n",
        "e/fake.parquet": PICKLES["protocol 4"],
    }
    path = _zip(tmp_path / "all.zip", members)
    opened = open_submissions(path)
    assert sorted(opened.submissions) == ["a/good", "c/points"]
    assert sorted(opened.failures) == ["b/cut", "d/text"]
    assert list(opened.left_out) == ["e/fake.parquet"]
    with pytest.raises(FileFormatError, match="4 files that could be submissions"):
        open_submission(path)
    (tmp_path / "here").mkdir()
    unpack(path, tmp_path / "here")
    assert sorted(open_submissions(tmp_path / "here").submissions) == ["a/good", "c/points"]
    with pytest.raises(FileFormatError, match="directory of several files"):
        open_submission(tmp_path / "here")
