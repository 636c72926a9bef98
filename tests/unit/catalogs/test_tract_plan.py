"""What a release consists of."""

import numpy as np
import pyarrow as pa
import pytest

from pzcenter.catalogs.tract_plan import depth_map, release_pixels, tract_plan


def qa(share, n_obj=1000, depth=25.0, ids=(0, 9)):
    """Counts of a tract that measures a share of its objects in each band."""
    return pa.Table.from_pylist(
        [
            {"band": band, "n_obj": n_obj, "n_measured": round(part * n_obj), "depth": depth if part else None,
             "id_min": ids[0], "id_max": ids[1]}
            for band, part in share.items()
        ]
    )  # fmt: skip


ALL = dict.fromkeys("ugrizy", 0.98)


def bands(plan):
    return dict(zip(plan["tract"].to_pylist(), plan["bands"].to_pylist(), strict=True))


def test_the_largest_set_that_a_tract_has_in_full():
    plan = tract_plan(
        {3: qa({**ALL, "u": 0.0}), 1: qa(ALL), 2: qa({**ALL, "y": 0.05, "u": 0.3}), 4: qa({**ALL, "r": 0.0})}, "toy"
    )
    assert bands(plan) == {1: "u,g,r,i,z,y", 2: "g,r,i,z", 3: "g,r,i,z", 4: "u,g,i,z,y"}
    assert plan["tract"].to_pylist() == [1, 2, 3, 4]
    assert set(plan["skymap"].to_pylist()) == {"toy"}


def test_a_tract_that_lacks_columns_of_a_band():
    plan = tract_plan({1: qa(ALL), 2: qa(dict.fromkeys("griz", 0.9))}, "toy")
    assert bands(plan)[2] == "g,r,i,z"
    assert plan["present_u"].to_pylist() == [0.98, None]
    assert plan["depth_y"].to_pylist() == [25.0, None]


def test_bands_may_have_long_names():
    share = dict.fromkeys(["g", "r", "J", "Ks"], 0.9)
    plan = tract_plan({1: qa(share)}, "toy", band_sets=[("g", "r"), ("g", "r", "J", "Ks")])
    assert bands(plan) == {1: "g,r,J,Ks"}


def test_the_share_that_counts_is_a_setting():
    tracts = {1: qa({**ALL, "u": 0.3})}
    assert bands(tract_plan(tracts, "toy", min_present=0.5)) == {1: "g,r,i,z"}
    assert bands(tract_plan(tracts, "toy", min_present=0.3)) == {1: "u,g,r,i,z,y"}


def test_numbers_of_a_tract_are_carried():
    plan = tract_plan({7: qa(ALL, n_obj=123, depth=26.5, ids=(40, 90))}, "toy")
    (row,) = plan.to_pylist()
    assert (row["n_obj"], row["id_min"], row["id_max"], row["depth_g"]) == (123, 40, 90, 26.5)


def counts(pixel, n_obj, **columns):
    return pa.table({"pixel": pixel, "n_obj": n_obj, **columns})


def test_depths_of_tracts_that_share_a_pixel():
    # Errors of 10 in two objects, and of 40 in one: mean 20, 5 sigma is 100 nJy, magnitude 26.4.
    parts = [counts([5, 9], [3, 1], n_g=[2, 0], err_g=[20.0, 0.0]), counts([5], [4], n_g=[1], err_g=[40.0])]
    found = depth_map(parts, ["g"])
    assert found["pixel"].to_pylist() == [5, 9]
    assert found["n_obj"].to_pylist() == [7, 1]
    assert found["depth_g"].to_numpy()[0] == pytest.approx(26.4)
    assert np.isnan(found["depth_g"].to_numpy()[1])


def test_a_tract_that_lacks_a_band_adds_objects_alone():
    parts = [counts([5], [3], n_u=[3], err_u=[60.0]), counts([5], [2])]
    found = depth_map(parts, ["u"])
    assert found["n_obj"].to_pylist() == [5]
    assert found["depth_u"].to_numpy()[0] == pytest.approx(26.4)


def test_pixels_hold_every_object_and_not_too_many():
    rng = np.random.default_rng(4)
    pixel = np.unique(rng.integers(0, 12 * 4**6, 200))
    n_obj = rng.integers(1, 50, pixel.size)
    found = release_pixels(depth_map([counts(pixel, n_obj)], []), order=6, max_rows=120)
    rows = found.to_pylist()
    assert sum(row["n_rows"] for row in rows) == n_obj.sum()
    assert max(row["n_rows"] for row in rows) <= 120
    begin = [row["pixel"] << 2 * (29 - row["order"]) for row in rows]
    end = [(row["pixel"] + 1) << 2 * (29 - row["order"]) for row in rows]
    assert all(before <= after for before, after in zip(end, begin[1:], strict=False))
