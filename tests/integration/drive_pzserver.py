"""Call every public method of the client ``pzserver`` and print what came back, as JSON on the last line.

Run by the interpreter that has the client: ``drive_pzserver.py BASE_URL OWNER_TOKEN OTHER_TOKEN DIRECTORY``.
"""

import json
import sys
import time
import traceback
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd

N = 60
told = {}


def step(function):
    """Run a step; what it returns, or what went wrong, is told under its name."""
    try:
        told[function.__name__] = function()
    except Exception:  # noqa: BLE001 - told
        told[function.__name__] = {"failed": traceback.format_exc()[-3000:]}
    return function


def error_of(function, *arguments, **words):
    """Name of the class of an error, and its words."""
    try:
        function(*arguments, **words)
    except Exception as error:  # noqa: BLE001 - told
        return [type(error).__name__, str(error)]
    return None


def redshifts(shift=0.0):
    rng = np.random.default_rng(5)
    return pd.DataFrame({
        "name": [f"g{i}" for i in range(N)], "my_ra": rng.uniform(10, 10.4, N).round(7),
        "my_dec": rng.uniform(-5.4, -5, N).round(7), "redshift": (rng.uniform(0.1, 1.5, N) + shift).round(5),
        "quality": np.full(N, 4),
    })  # fmt: skip


def write(table, path):
    import tables_io
    from astropy.table import Table

    if path.suffix == ".csv":
        table.to_csv(path, index=False)
    elif path.suffix == ".hdf5":
        tables_io.write(Table.from_pandas(table), str(path))
    elif path.suffix == ".parquet":
        table.to_parquet(path, index=False)
    else:
        Table.from_pandas(table).write(path)
    return str(path)


def write_hats(table, folder):
    import lsdb

    root = folder / "hats_small"
    lsdb.from_dataframe(table, ra_column="my_ra", dec_column="my_dec", catalog_name="small").write_catalog(root)
    packed = folder / "hats_small.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for path in sorted(root.rglob("*")):
            archive.write(path, path.relative_to(folder))
    return str(packed)


def plain(word):
    """A text, also where the client reads bytes, or (from Parquet) lists of one."""
    word = word[0] if isinstance(word, list | np.ndarray) else word
    return word.decode() if isinstance(word, bytes) else word


def same(read, table):
    """Names of the columns that hold what was sent, in the order of the sky."""
    wanted = table.sort_values("my_ra").reset_index(drop=True)
    got = read.to_pandas().sort_values("my_ra").reset_index(drop=True)
    found = []
    for name in wanted.columns:
        ours, theirs = wanted[name], got.get(name)
        if theirs is None or len(theirs) != len(ours):
            continue
        if ours.dtype == object:
            theirs = theirs.map(plain)
            if list(theirs) == list(ours):
                found.append(name)
        elif np.array_equal(ours.to_numpy(), theirs.to_numpy()):
            found.append(name)
    return found


def main(base_url, owner_token, other_token, directory):
    folder = Path(directory)
    folder.mkdir(parents=True, exist_ok=True)
    import pzserver
    from pzserver import PzServer
    from pzserver import core as client_core

    # The client looks at a process every 30 s.
    sleep = time.sleep
    client_core.time.sleep = lambda _seconds: sleep(3.0)
    told["version"] = pzserver.__version__
    pz = PzServer(token=owner_token, host=base_url)
    other = PzServer(token=other_token, host=base_url)
    table = redshifts()
    numbers = {}

    @step
    def bad_token():
        return error_of(PzServer, token="0" * 40, host=base_url)

    @step
    def product_types():
        pz.display_product_types()
        return [each["name"] for each in pz.get_product_types()]

    @step
    def users():
        pz.display_users()
        return [each["username"] for each in pz.get_users()]

    @step
    def releases():
        pz.display_releases()
        return [each["name"] for each in pz.get_releases()]

    @step
    def entities():
        return pz.api.get_entities()

    def upload(name, product_type, main_file, columns, **more):
        product = pz.upload(name=name, product_type=product_type, main_file=main_file, **more)
        found = list(product.columns or [])
        product.make_columns_association(columns)
        product.save()
        numbers[name] = product.product_id
        return found

    meanings = {"my_ra": "RA", "my_dec": "Dec", "redshift": "z"}

    @step
    def upload_csv():
        notes = folder / "notes.md"
        notes.write_text("# Notes")
        product = pz.upload(
            name="Csv", product_type="redshift_catalog", main_file=write(table, folder / "r.csv"),
            auxiliary_files=[str(notes)], description="A *small* catalogue",
        )  # fmt: skip
        product.make_columns_association({"my_ra": "RA", "my_dec": "Dec"})
        missing = error_of(product.save)
        unchecked = error_of(product.api.finish_upload, product.product_id)
        product.reset_columns_association()
        product.make_columns_association(meanings | {"quality": "z_flag", "name": "my word"})
        product.add_auxiliary_file(write(table, folder / "again.parquet"))
        checked = product.check_required_columns()
        product.save()
        numbers["Csv"] = product.product_id
        return {
            "columns": list(product.columns), "system_columns": sorted(product.system_columns), "missing": missing,
            "unchecked": unchecked, "checked": checked, "files": len(product.files_id), "name": str(product),
        }  # fmt: skip

    for suffix in ("fits", "hdf5", "parquet"):

        def upload_format(suffix=suffix):
            path = write(table if suffix != "hdf5" else table.drop(columns="name"), folder / f"r.{suffix}")
            return upload(suffix.capitalize(), "redshift_catalog", path, meanings)

        upload_format.__name__ = f"upload_{suffix}"
        step(upload_format)

    @step
    def upload_hats():
        return upload("Hats", "redshift_catalog", write_hats(table, folder), meanings)

    @step
    def upload_training_set():
        return upload("Train", "training_set", write(table, folder / "t.csv"), {"redshift": "z"}, release="dp1")

    @step
    def upload_pickle():
        path = folder / "model.pkl"
        path.write_bytes(b"\x80\x04not opened.")
        return upload("Model", "training_results", str(path), {}, release="dp1")

    @step
    def upload_estimates():
        path = write(table, folder / "e.csv")
        return upload("Estimates", "photoz_estimates", path, {}, release="dp1", pz_code="BPZ", description="z")

    @step
    def upload_refused():
        return [
            error_of(pz.upload, name="x", product_type="Training Set", main_file=str(folder / "r.csv")),
            error_of(pz.upload, name="x", product_type="training_set", main_file=str(folder / "r.csv"), release="dp9"),
            error_of(pz.upload, name="x", product_type="redshift_catalog", main_file=str(folder / "nothing.csv")),
            error_of(
                pz.upload, name="x", product_type="redshift_catalog", main_file=str(folder / "r.csv"), release="dp1"
            ),
        ]

    @step
    def products_list():
        pz.display_products_list()
        pz.display_products_list(filters={"product_type": "training"})

        def names(filters=None):
            return sorted(each["display_name"] for each in pz.get_products_list(filters))

        return {
            "all": names(), "type": names({"product_type": "redshift"}), "release": names({"release": "dp1"}),
            "both": names({"release": "dp1", "product_type": "training_set"}),
            "or": names({"product_type__or": ["training_set", "photoz"]}), "code": names({"search": "bpz"}),
            "owner": names({"uploaded_by": "owner"}), "none": names({"uploaded_by": "nobody"}),
            "invalid": error_of(pz.get_products_list, {"color": "red"}),
        }  # fmt: skip

    @step
    def metadata():
        number = numbers["Csv"]
        pz.display_product_metadata(number)
        found = [pz.get_product_metadata(each) for each in (number, str(number), f"{number}_csv")]
        frame = pz.display_product_metadata(number, show=False)
        return {
            "same": found[0] == found[1] == found[2], "product": found[0],
            "short": "main_file" in pz.get_product_metadata(number, mainfile_info=False),
            "frame": sorted(frame["key"]), "unknown": error_of(pz.get_product_metadata, 99999),
            "hidden": error_of(other.get_product_metadata, numbers["Train"]),
        }  # fmt: skip

    @step
    def get_product():
        got = {}
        for name in ("Csv", "Fits", "Hdf5", "Parquet", "Hats", "Train", "Estimates"):
            try:
                got[name] = same(pz.get_product(numbers[name]), table)
            except Exception:  # noqa: BLE001 - told
                got[name] = traceback.format_exc()[-2000:]
        got["by name"] = same(pz.get_product(f"{numbers['Csv']}_csv", get_big_products=True), table)
        got["Model"] = error_of(pz.get_product, numbers["Model"])
        return got

    @step
    def transform():
        frame = pz.get_product(numbers["Csv"]).to_pandas()
        found = [pz.get_product_metadata(numbers[name]) for name in ("Csv", "Train", "Estimates")]
        return [type(pz.transform_df(frame, each)).__name__ for each in found]

    @step
    def download_product():
        names = {}
        for name in ("Csv", "Hats", "Model"):
            pz.download_product(numbers[name], save_in=str(folder / "got"))
            (path,) = (folder / "got").glob(f"{numbers[name]}_*.zip")
            with zipfile.ZipFile(path) as archive:
                names[name] = [archive.testzip(), sorted(archive.namelist())]
        return names

    @step
    def resumed_download():
        """The client goes on where a broken download ended."""
        archive = pz.api._prepare_product_main_file_download(numbers["Csv"])
        url = pz.api._resolve_api_url(archive["download_url"])
        whole = (folder / "r.csv").read_bytes()
        answer = pz.api._download_response(url, start_byte=100)["response_object"]
        target = folder / "resume"
        target.mkdir()
        (target / "r.csv.part").write_bytes(whole[:100])
        pz.api._download_request(url, save_in=str(target))
        return [answer.status_code, answer.content == whole[100:], (target / "r.csv").read_bytes() == whole]

    @step
    def product_object():
        product = pz.get_product_object(numbers["Csv"])
        before = [len(product.get_auxiliary_files()), len(product.get_description_files())]
        product.attach_auxiliary_file(str(folder / "r.csv"))
        product.attach_description_file(str(folder / "notes.md"))
        product.update_description("Better *words*")
        again = pz.get_product_object(f"{numbers['Csv']}_csv")
        attached = [len(again.get_auxiliary_files()), len(again.get_description_files())]
        again.remove_file(again.get_description_files()[0]["id"])
        last = pz.get_product_object(str(numbers["Csv"]))
        return {
            "id": product.product_id == numbers["Csv"], "main_file": product.main_file["name"], "before": before,
            "attached": attached, "removed": len(last.get_description_files()),
            "description": last.attributes["description"], "info": last.get_main_file_info()["name"],
            "main": error_of(last.remove_file, last.main_file["id"]),
            "unknown": error_of(pz.get_product_object, "no_such_product"),
        }  # fmt: skip

    @step
    def of_others():
        product = other.get_product_object(numbers["Csv"])
        return [
            error_of(product.update_description, "mine"),
            error_of(product.attach_auxiliary_file, str(folder / "r.csv")),
            error_of(other.delete_product, numbers["Csv"]), error_of(other.api.delete_product, numbers["Csv"]),
            error_of(other.api.finish_upload, numbers["Csv"]),
            error_of(other.api.update_product_description, numbers["Csv"], "mine"),
            error_of(other.api.upload_file, numbers["Csv"], str(folder / "r.csv"), "auxiliary"),
            error_of(other.api.registry_upload, numbers["Csv"]),
        ]  # fmt: skip

    @step
    def combine():
        second = upload(
            "Second", "redshift_catalog", write(redshifts(1e-4), folder / "s.csv"), meanings | {"quality": "z_flag"}
        )
        process = pz.combine_redshift_catalogs(name="Joined")
        process.append_catalog(_id=numbers["Csv"])
        process.append_catalog(internal_name=f"{numbers['Second']}_second")
        wrong = error_of(process.append_catalog, _id=numbers["Train"])
        process.set_config({"combine_type": "concatenate_and_mark_duplicates", "output_format": "csv"})
        before = process.check_status()
        process.summary()
        pz.run_and_wait(process)
        again = process.run()
        return {
            "columns": second, "catalogs": len(process.input_catalogs), "wrong": wrong, "before": before,
            "config": process.config["combine_type"], "status": process.check_status(), "again": again,
            "stop": process.stop()["status"], "output": process.output["display_name"],
            "n_rows": pz.get_product_metadata(process.output["id"])["main_file"]["n_rows"],
            "read": len(pz.get_product(process.output["id"])),
        }  # fmt: skip

    @step
    def combine_with_rules():
        flags = folder / "flags.yaml"
        flags.write_text("name: Mine\nquality:\n- {when: z_flag >= 3, value: 4}\n")
        process = pz.combine_redshift_catalogs(name="With rules")
        process.append_catalog(_id=numbers["Csv"])
        process.append_catalog(_id=numbers["Second"])
        process.set_flags_translation(str(flags))
        said = process.run()
        return {"status": said["status"], "stopped": process.stop()["status"]}

    @step
    def training_set():
        process = pz.training_set_maker(name="Made")
        process.set_release(name="dp1")
        first = process.release["id"]
        process.set_release(release_id=first)
        process.set_redshift(internal_name=f"{numbers['Csv']}_csv")
        process.set_redshift(_id=numbers["Csv"])
        process.set_config({"crossmatch": {"radius_arcsec": 0.5, "n_neighbors": 1}})
        process.summary()
        pz.run_and_wait(process)
        return {
            "types": process.available_product_types(), "inputs": process.inputs, "status": process.check_status(),
            "process": sorted(process.process), "output": process.output["display_name"],
            "n_rows": pz.get_product_metadata(process.output["id"])["main_file"]["n_rows"],
            "pipeline": process.pipeline.display_name, "out": process.pipeline.output_product_type["name"],
        }  # fmt: skip

    @step
    def delete():
        unfinished = pz.api.upload_basic_info("Nothing in it", "other")["id"]
        pz.delete_product(unfinished)
        pz.delete_product(f"{numbers['Estimates']}_estimates")
        pz.delete_product(numbers["Model"])
        return [
            error_of(pz.get_product_metadata, numbers["Model"]), error_of(pz.api.get, "products", unfinished),
            sorted(each["display_name"] for each in pz.get_products_list({"release": "dp1"})),
        ]  # fmt: skip

    told["numbers"] = numbers


if __name__ == "__main__":
    main(*sys.argv[1:])
    print()  # noqa: T201 - the answer
    print(json.dumps(told))  # noqa: T201
