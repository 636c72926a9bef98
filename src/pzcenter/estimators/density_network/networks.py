"""Networks in training: weights, loss and steps in JAX, which is needed here only.

A network gives one number for each bump in ln(1 + z); their sum on the grid, with the template density to a power that
is learnt too, is the logarithm of the density. All members see the same copies; member k learns nothing from the
objects of part k.

References
----------
Kingma & Ba 2015, ICLR (Adam); Loshchilov & Hutter 2019, ICLR (weight decay).
"""

# mypy: disable-error-code="untyped-decorator, import-untyped"

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from pzcenter.errors import MissingDependencyError
from pzcenter.estimators.density_network.kernel import UNROLL, Network

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pzcenter.estimators.density_network.grids import DensityGrid

__all__ = ["Examples", "NetworkShape", "Networks", "require_jax"]

_DENSITY_FLOOR = 1e-6
"""Added to a density before its logarithm: one object at an impossible redshift must not rule the loss."""
_LARGEST_GRADIENT = 1.0
_FIRST_POWER = 0.3
"""Of the template density, before training."""


def require_jax() -> Any:
    """Import JAX and optax.

    Returns
    -------
    module
        ``jax``.

    Raises
    ------
    MissingDependencyError
        They are not installed.
    """
    try:
        import jax
        import optax  # noqa: F401 - both are needed
    except ImportError as error:
        raise MissingDependencyError(
            f"training a density network needs jax and optax ({error}); install pzcenter[ml]. "
            "A trained model needs neither"
        ) from error
    return jax


class Examples(NamedTuple):
    """Objects as the networks see them.

    Parameters
    ----------
    x : ndarray of float32, (n_obj, n_input)
        Standardised features, padded.
    log_template : ndarray of float32, (n_obj, n_coarse)
        Logarithm of the template density; zero without one.
    cell : ndarray of int32, (n_obj,)
        Cell of the grid that holds the redshift.
    part : ndarray of float32, (n_obj,)
        Position within that cell.
    left_out : ndarray of int32, (n_obj,)
        The member that learns nothing from it.
    """

    x: NDArray[np.float32]
    log_template: NDArray[np.float32]
    cell: NDArray[np.int32]
    part: NDArray[np.float32]
    left_out: NDArray[np.int32]


@dataclass(frozen=True)
class NetworkShape:
    """Form of the networks of one kind.

    Parameters
    ----------
    n_member, n_input, n_hidden, n_layer, n_bump : int
        Inputs, hidden units and bumps are multiples of four.
    with_template : bool
        Whether the template density is a factor.
    """

    n_member: int
    n_input: int
    n_hidden: int
    n_layer: int
    n_bump: int
    with_template: bool

    def __post_init__(self) -> None:
        assert self.n_input % UNROLL == self.n_hidden % UNROLL == self.n_bump % UNROLL == 0


class Networks:
    """Members of one kind during training, with the best state of each so far.

    Parameters
    ----------
    shape : NetworkShape
        Form.
    grid : DensityGrid
        Grid of the densities.
    cde_weight, weight_decay : float
        See the settings.
    seed : int
        Of the first weights.
    """

    def __init__(
        self, shape: NetworkShape, grid: DensityGrid, *, cde_weight: float, weight_decay: float, seed: int
    ) -> None:
        self.shape = shape
        self._train, self._predict, start, self._score = _functions(shape, cde_weight, weight_decay)
        self._grid = (grid.bumps, grid.log_coarse, grid.z_weight)
        self._params, self._state = start(seed)
        self._best = self._params
        self._best_score = np.full(shape.n_member, np.inf)

    def learn(self, examples: Examples, rates: NDArray[np.float32], batch: int) -> None:
        """Take one step for each rate, on consecutive batches."""
        n = rates.size * batch
        parts: list[Any] = [array[:n].reshape(rates.size, batch, *array.shape[1:]) for array in examples]
        batches = Examples(*parts)
        self._params, self._state = self._train(self._params, self._state, batches, rates, self._grid)

    def keep_best(self, examples: Examples) -> float:
        """Score each member on its own part, keep its weights where they are the best so far; mean of the best."""
        score = np.asarray(self._score(self._params, examples, self._grid), dtype=np.float64)
        better = ~(score >= self._best_score)
        if better.any():
            pick = _require_numpy().where
            mask = better

            def chosen(new: Any, old: Any) -> Any:
                return pick(mask.reshape(-1, *([1] * (new.ndim - 1))), new, old)

            self._best = require_jax().tree.map(chosen, self._params, self._best)
            self._best_score = np.where(better, score, self._best_score)
        return float(self._best_score.mean())

    def held_out_logits(self, examples: Examples) -> NDArray[np.float32]:
        """Logarithms of densities, not normalised, each from the member that did not learn from the object."""
        return np.asarray(self._predict(self._best, examples, self._grid))

    def network(self, share: float) -> tuple[Network, float]:
        """Give the weights for the kernel, with outputs times ``share`` / n_member, and the power of the templates."""
        weights = [np.asarray(value, dtype=np.float32) for value in self._best[:-1]]
        factor = np.float32(share / self.shape.n_member)
        first, first_bias, inner, inner_bias, last, last_bias = weights

        def turned(weight: NDArray[np.float32]) -> NDArray[np.float32]:
            return np.ascontiguousarray(np.swapaxes(weight, -1, -2))

        power = (
            float(np.mean(np.asarray(self._best[-1], dtype=np.float64))) * share if self.shape.with_template else 0.0
        )
        net = Network(turned(first), first_bias, turned(inner), inner_bias, turned(last) * factor, last_bias * factor)
        return Network(*(np.ascontiguousarray(array) for array in net)), power


def _require_numpy() -> Any:
    import jax.numpy as jnp

    return jnp


@cache
def _functions(shape: NetworkShape, cde_weight: float, weight_decay: float) -> tuple[Any, Any, Any, Any]:
    """Compiled steps, predictions, start and score; kept, so that a second training compiles nothing."""
    jax = require_jax()
    import jax.numpy as jnp
    import optax

    adam = optax.scale_by_adam()

    def logits(params: Any, x: Any, log_template: Any, grid: Any) -> Any:
        first, first_bias, inner, inner_bias, last, last_bias, power = params
        bumps, log_coarse, _ = grid
        h = _ramp(x @ first + first_bias)
        for layer in range(shape.n_layer - 1):
            h = h + _ramp(h @ inner[layer] + inner_bias[layer])
        out = (h @ last + last_bias) @ bumps
        return out + power * (log_template @ log_coarse) if shape.with_template else out

    def log_densities(params: Any, x: Any, log_template: Any, grid: Any) -> Any:
        out = logits(params, x, log_template, grid)
        return out - jax.nn.logsumexp(out + jnp.log(grid[2]), axis=-1, keepdims=True)

    def at_truth(p: Any, example: Any) -> Any:
        rows = jnp.arange(p.shape[0])
        return (1 - example.part) * p[rows, example.cell] + example.part * p[rows, example.cell + 1]

    def member_loss(params: Any, member: Any, example: Any, grid: Any) -> Any:
        p = jnp.exp(log_densities(params, example.x, example.log_template, grid))
        there = at_truth(p, example)
        each = -jnp.log(there + _DENSITY_FLOOR) + cde_weight * ((p * p * grid[2]).sum(axis=1) - 2 * there)
        use = example.left_out != member
        return (each * use).sum() / jnp.maximum(use.sum(), 1)

    members = jnp.arange(shape.n_member)

    def loss(params: Any, example: Any, grid: Any) -> Any:
        return jax.vmap(member_loss, in_axes=(0, 0, None, None))(params, members, example, grid).sum()

    @jax.jit
    def train(params: Any, state: Any, batches: Any, rates: Any, grid: Any) -> Any:
        def step(carry: Any, given: Any) -> Any:
            params, state = carry
            example, rate = given
            gradient = jax.grad(loss)(params, example, grid)
            gradient = jax.tree.map(lambda g: jnp.clip(g, -_LARGEST_GRADIENT, _LARGEST_GRADIENT), gradient)
            update, state = adam.update(gradient, state)
            params = jax.tree.map(lambda p, u: p - rate * (u + weight_decay * p), params, update)
            return (params, state), None

        (params, state), _ = jax.lax.scan(step, (params, state), (batches, rates))
        return params, state

    @jax.jit
    def predict(params: Any, example: Any, grid: Any) -> Any:
        every = jax.vmap(logits, in_axes=(0, None, None, None))(params, example.x, example.log_template, grid)
        return jnp.take_along_axis(every, example.left_out[None, :, None], axis=0)[0]

    @jax.jit
    def score(params: Any, example: Any, grid: Any) -> Any:
        def one(params: Any, member: Any) -> Any:
            p = jnp.exp(log_densities(params, example.x, example.log_template, grid))
            own = example.left_out == member
            return (-jnp.log(at_truth(p, example) + _DENSITY_FLOOR) * own).sum() / jnp.maximum(own.sum(), 1)

        return jax.vmap(one)(params, members)

    def start(seed: int) -> Any:
        rng = np.random.default_rng((seed, int(shape.with_template)))
        n, d, h, k = shape.n_member, shape.n_input, shape.n_hidden, shape.n_bump
        inner = (n, shape.n_layer - 1, h, h)
        params = (
            rng.standard_normal((n, d, h)) * np.sqrt(2 / d),
            np.zeros((n, h)),
            rng.standard_normal(inner) * np.sqrt(2 / h),
            np.zeros(inner[:3]),
            rng.standard_normal((n, h, k)) * 0.1 * np.sqrt(1 / h),
            np.zeros((n, k)),
            np.full(n, _FIRST_POWER),
        )
        params = jax.tree.map(lambda value: jnp.asarray(value, dtype=jnp.float32), params)
        return params, adam.init(params)

    return train, predict, start, score


def _ramp(x: Any) -> Any:
    """Smooth ramp of the kernel, x (1 + x / (1 + |x|)) / 2."""
    return 0.5 * x * (1.0 + x / (1.0 + abs(x)))
