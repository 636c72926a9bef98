import numpy as np
import pytest

from pzcenter.errors import ConfigError, EmptyTableError
from pzcenter.training.som import nearest_cells, train_som


def cloud(n=5000, seed=0):
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.normal(0, 1, (n // 2, 3)), rng.normal(4, 0.5, (n - n // 2, 3))])


def test_nearest_cells_are_the_nearest():
    x, cells = cloud() + 100.0, cloud(60, seed=1) + 100.0
    distance = np.linalg.norm(x[:, None] - cells, axis=2)
    found = nearest_cells(x, cells)
    assert np.allclose(distance[np.arange(len(x)), found], distance.min(axis=1), rtol=1e-4)


def test_cells_share_the_points():
    x = cloud()
    net = train_som(x, (8, 8))
    count = np.bincount(nearest_cells(x, net.cells), minlength=64)
    assert count.sum() == len(x)
    assert np.count_nonzero(count) >= 60
    assert count.max() < 6 * len(x) / 64


def test_neighbouring_cells_are_near():
    net = train_som(cloud(), (8, 8))
    places = net.cells.reshape(8, 8, 3)
    step = np.linalg.norm(np.diff(places, axis=0), axis=2).mean()
    rng = np.random.default_rng(0)
    any_two = np.linalg.norm(net.cells[rng.permutation(64)] - net.cells, axis=1).mean()
    assert step < 0.4 * any_two


def test_more_cells_lie_closer():
    x = cloud()
    errors = [train_som(x, (side, side)).quantisation_error for side in (1, 3, 6, 12)]
    assert errors == sorted(errors, reverse=True)
    assert errors[0] == pytest.approx(np.sqrt(x.var(axis=0).sum()), rel=1e-6)


def test_the_same_points_give_the_same_map():
    x = cloud()
    assert np.array_equal(train_som(x, (5, 6)).cells, train_som(x, (5, 6)).cells)


@pytest.mark.parametrize("n_feature", [1, 2])
def test_few_features(n_feature):
    x = cloud()[:, :n_feature]
    assert train_som(x, (4, 3)).cells.shape == (12, n_feature)


def test_refusals():
    with pytest.raises(EmptyTableError):
        train_som(np.empty((0, 3)), (4, 4))
    with pytest.raises(ConfigError, match=r"\(0, 4\)"):
        train_som(cloud(), (0, 4))
