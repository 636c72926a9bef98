"""Features, networks and densities of objects, compiled.

Objects are taken 64 at a time, side by side (lanes): each instruction does the same for all of them, so that the bits
of a row depend neither on its neighbours nor on its place. A matrix product of a library gives no such promise.

All that is compiled stands in this one file: numba's cache sees a change of this file, and of no other.
"""

# ruff: noqa: ANN001, ANN202, PLR0917 -- numba infers types, and compiled functions take plain arrays
# ruff: noqa: FURB136 -- a comparison and a choice are what is compiled to vector instructions
# mypy: disable-error-code="no-untyped-def, no-untyped-call"

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "LANES",
    "N_SUMMARY",
    "DensityTables",
    "Domain",
    "Network",
    "densities",
    "domain_distance",
    "photometric_features",
    "template_features",
]

F = np.float32
LANES = 64
"""Objects computed side by side; 64 of them with 128 hidden units fit the first-level cache."""
UNROLL = 4
"""Inputs and outputs of a layer are multiples of this: the products are done four by four."""
N_SUMMARY = 4
"""Numbers beside the masses that summarise a template fit: mean, width, mode, misfit."""
LARGEST_FEATURE = F(5.0)
"""Standardised features are held within this many standard deviations."""
LOG_FLOOR = F(1e-4)
"""Template densities below this fraction of their maximum count as this: templates are not believed further."""

OPTIONS: Any = {"cache": True, "nogil": True, "error_model": "numpy", "fastmath": {"contract"}}
POGSON = 2.5 / np.log(10.0)


class Network(NamedTuple):
    """Networks of one shape; their inputs, hidden units and outputs are multiples of ``UNROLL``.

    Parameters
    ----------
    first : ndarray of float32, (n_net, n_hidden, n_input)
    first_bias : ndarray of float32, (n_net, n_hidden)
    inner : ndarray of float32, (n_net, n_layer - 1, n_hidden, n_hidden)
        Each adds to what it is given.
    inner_bias : ndarray of float32, (n_net, n_layer - 1, n_hidden)
    last : ndarray of float32, (n_net, n_bump, n_hidden)
    last_bias : ndarray of float32, (n_net, n_bump)
    """

    first: NDArray[np.float32]
    first_bias: NDArray[np.float32]
    inner: NDArray[np.float32]
    inner_bias: NDArray[np.float32]
    last: NDArray[np.float32]
    last_bias: NDArray[np.float32]


class Domain(NamedTuple):
    """Where the training objects are.

    Parameters
    ----------
    mag : ndarray of float32, (n_place, n_band)
        Asinh magnitudes of some of them, NaN replaced by ``seen`` of zero.
    seen : ndarray of float32, (n_place, n_band)
        1 where measured, 0 where not.
    noise : ndarray of float32, (n_place,)
        Mean logarithm of the magnitude errors.
    radius : ndarray of float32, (n_place,)
        Distance that is usual around each.
    weights : ndarray of float32, (3,)
        Of colours, magnitude and noise in the distance.
    """

    mag: NDArray[np.float32]
    seen: NDArray[np.float32]
    noise: NDArray[np.float32]
    radius: NDArray[np.float32]
    weights: NDArray[np.float32]


class DensityTables(NamedTuple):
    """What turns outputs of networks into a density.

    Parameters
    ----------
    first_bump : ndarray of int64, (n_z,)
        First of the bumps that reach each grid point.
    bump : ndarray of float32, (n_z, n_tap)
        Their values there.
    coarse_cell : ndarray of int64, (n_z,)
        Cell of the template fit's grid that holds each grid point.
    coarse_part : ndarray of float32, (n_z,)
        Position within that cell, 0 to 1.
    template_power : float32
        Exponent of the template density in the product.
    z_weight : ndarray of float32, (n_z,)
        Of the trapezoidal rule.
    pit_density : ndarray of float32, (n_level,)
        Density of the probability integral transform of held-out objects at equal steps from 0 to 1.
    fallback : ndarray of float32, (n_z,)
        Density that stands in where templates give none.
    """

    first_bump: NDArray[np.int64]
    bump: NDArray[np.float32]
    coarse_cell: NDArray[np.int64]
    coarse_part: NDArray[np.float32]
    template_power: np.float32
    z_weight: NDArray[np.float32]
    pit_density: NDArray[np.float32]
    fallback: NDArray[np.float32]


@njit(**OPTIONS)
def _photometric(flux, err, softening, x, lane):
    """Asinh magnitudes, adjacent colours, logarithms of the magnitude errors, and what is missing, into a column."""
    n = flux.size
    for b in range(n):
        f, e, s = np.float64(flux[b]), np.float64(err[b]), softening[b]
        if np.isfinite(f) and np.isfinite(e) and e > 0.0:
            t = f / (2.0 * s)
            x[b, lane] = -POGSON * (np.arcsinh(t) + np.log(s))
            x[2 * n - 1 + b, lane] = np.log(POGSON * e / (2.0 * s * np.sqrt(1.0 + t * t)))
            x[3 * n - 1 + b, lane] = 0.0
        else:
            x[b, lane] = np.nan
            x[2 * n - 1 + b, lane] = np.nan
            x[3 * n - 1 + b, lane] = -1.0
    for b in range(n - 1):
        x[n + b, lane] = x[b, lane] - x[b + 1, lane]


@njit(**OPTIONS)
def _template(pdf, misfit, coarse, group, x, first, lane):
    """Square roots of the probabilities of groups of cells, mean, width, mode and misfit, into a column."""
    n, total, peak, at = coarse.size, 0.0, F(0.0), 0
    mean, square = 0.0, 0.0
    n_mass = -(-n // group)
    for g in range(n_mass):
        mass = 0.0
        for k in range(g * group, min(n, (g + 1) * group)):
            p = pdf[k]
            mass += p
            mean += p * coarse[k]
            square += p * coarse[k] * coarse[k]
            if p > peak:
                peak, at = p, k
        total += mass
        x[first + g, lane] = mass
    if not total > 0.0:
        for g in range(n_mass + N_SUMMARY):
            x[first + g, lane] = np.nan
        return
    mean /= total
    for g in range(n_mass):
        x[first + g, lane] = np.sqrt(x[first + g, lane] / total)
    x[first + n_mass, lane] = np.log1p(mean)
    x[first + n_mass + 1, lane] = 0.5 * np.log(max(square / total - mean * mean, 1e-5))
    x[first + n_mass + 2, lane] = np.log1p(coarse[at])
    x[first + n_mass + 3, lane] = np.log1p(misfit)


@njit(**OPTIONS)
def _all_photometric(flux, err, softening, x):
    column = np.empty((x.shape[1], 1), dtype=np.float32)
    for g in range(flux.shape[0]):
        _photometric(flux[g], err[g], softening, column, 0)
        x[g] = column[:, 0]


@njit(**OPTIONS)
def _all_template(pdf, misfit, coarse, group, x):
    column = np.empty((x.shape[1], 1), dtype=np.float32)
    for g in range(pdf.shape[0]):
        _template(pdf[g], misfit[g], coarse, group, column, 0, 0)
        x[g] = column[:, 0]


def photometric_features(
    flux: NDArray[np.float32], flux_err: NDArray[np.float32], softening: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Features of the photometry, before they are standardised.

    Parameters
    ----------
    flux, flux_err : ndarray of float32, (n_obj, n_band)
        nJy, NaN where missing.
    softening : ndarray of float64, (n_band,)
        Of the asinh magnitudes, nJy.

    Returns
    -------
    ndarray of float32, (n_obj, 4 n_band - 1)
        Asinh magnitudes, colours of adjacent bands, logarithms of the errors of the asinh magnitudes, and -1 for a
        missing band; NaN where they do not exist.

    References
    ----------
    Lupton, Gunn & Szalay 1999, AJ 118, 1406, eqs. 3 and 9.
    """
    x = np.empty((flux.shape[0], 4 * flux.shape[1] - 1), dtype=np.float32)
    _all_photometric(flux, flux_err, softening, x)
    return x


def template_features(
    pdf: NDArray[np.float32], misfit: NDArray[np.float32], coarse: NDArray[np.float64], group: int
) -> NDArray[np.float32]:
    """Features of a template fit, before they are standardised.

    Parameters
    ----------
    pdf : ndarray of float32, (n_obj, n_coarse)
        Densities, NaN without a fit.
    misfit : ndarray of float32, (n_obj,)
        Chi-square of the best fit.
    coarse : ndarray of float64, (n_coarse,)
        Their grid, in equal steps.
    group : int
        Grid points whose probabilities are added.

    Returns
    -------
    ndarray of float32, (n_obj, n_mass + 4)
        Square roots of the probabilities, ln(1 + mean), ln(width), ln(1 + mode), ln(1 + chi-square); NaN without a fit.
    """
    x = np.empty((pdf.shape[0], -(-coarse.size // group) + N_SUMMARY), dtype=np.float32)
    _all_template(pdf, misfit, coarse, group, x)
    return x


@njit(**OPTIONS)
def _standardise(x, mean, scale, used):
    for d in range(used):
        for l in range(LANES):
            value = (x[d, l] - mean[d]) * scale[d]
            value = min(max(value, -LARGEST_FEATURE), LARGEST_FEATURE)
            x[d, l] = value if value == value else F(0.0)  # noqa: PLR0124 - false for NaN only
    for d in range(used, x.shape[0]):
        for l in range(LANES):
            x[d, l] = F(0.0)


@njit(**OPTIONS)
def _dense(x, weight, bias, y):
    """Set y to bias + weight x, four outputs and four inputs at a time; in one order."""
    for j in range(0, weight.shape[0], UNROLL):
        y0, y1, y2, y3 = y[j], y[j + 1], y[j + 2], y[j + 3]
        c0, c1, c2, c3 = bias[j], bias[j + 1], bias[j + 2], bias[j + 3]
        for l in range(LANES):
            y0[l] = c0
            y1[l] = c1
            y2[l] = c2
            y3[l] = c3
        w0, w1, w2, w3 = weight[j], weight[j + 1], weight[j + 2], weight[j + 3]
        for i in range(0, x.shape[0], UNROLL):
            xa, xb, xc, xd = x[i], x[i + 1], x[i + 2], x[i + 3]
            a0, b0, d0, e0 = w0[i], w0[i + 1], w0[i + 2], w0[i + 3]
            a1, b1, d1, e1 = w1[i], w1[i + 1], w1[i + 2], w1[i + 3]
            a2, b2, d2, e2 = w2[i], w2[i + 1], w2[i + 2], w2[i + 3]
            a3, b3, d3, e3 = w3[i], w3[i + 1], w3[i + 2], w3[i + 3]
            for l in range(LANES):
                # All is read before anything is written: the compiler cannot know that y is not x.
                a, b, c, d = xa[l], xb[l], xc[l], xd[l]
                s0 = y0[l] + a0 * a + b0 * b + d0 * c + e0 * d
                s1 = y1[l] + a1 * a + b1 * b + d1 * c + e1 * d
                s2 = y2[l] + a2 * a + b2 * b + d2 * c + e2 * d
                s3 = y3[l] + a3 * a + b3 * b + d3 * c + e3 * d
                y0[l] = s0
                y1[l] = s1
                y2[l] = s2
                y3[l] = s3


@njit(**OPTIONS)
def _activate(y, h, add):
    """Smooth ramp x (1 + x / (1 + |x|)) / 2, which needs no exponential."""
    for j in range(h.shape[0]):
        for l in range(LANES):
            x = y[j, l]
            value = F(0.5) * x * (F(1.0) + x / (F(1.0) + abs(x)))
            h[j, l] = h[j, l] + value if add else value


@njit(**OPTIONS)
def _add_networks(x, net, h, y, output, out):
    for m in range(net.first.shape[0]):
        _dense(x, net.first[m], net.first_bias[m], y)
        _activate(y, h, False)
        for layer in range(net.inner.shape[1]):
            _dense(h, net.inner[m, layer], net.inner_bias[m, layer], y)
            _activate(y, h, True)
        _dense(h, net.last[m], net.last_bias[m], output)
        for j in range(out.shape[0]):
            for l in range(LANES):
                out[j, l] += output[j, l]


@njit(**OPTIONS)
def _exp(x):
    """exp(x) for x <= 0: a power of two times Taylor's series of the fraction; relative error 3e-7."""
    power = max(x * F(np.log2(np.e)), F(-126.0))
    whole = np.floor(power + F(0.5))
    f = (power - whole) * F(np.log(2.0))
    series = F(1 / 720)
    series = series * f + F(1 / 120)
    series = series * f + F(1 / 24)
    series = series * f + F(1 / 6)
    series = series * f + F(1 / 2)
    series = series * f + F(1)
    series = series * f + F(1)
    return series * np.int32((np.int32(whole) + np.int32(127)) << np.int32(23)).view(np.float32)


@njit(**OPTIONS)
def _densities_of_lanes(bumps, log_template, tables, p, largest, total, below):
    """Softmax on the grid, then p(z) g(F(z)): the cumulative F is made uniform on held-out objects by its density g."""
    n_z = p.shape[0]
    largest[:] = F(-1e30)
    for k in range(n_z):
        first, cell, part = tables.first_bump[k], tables.coarse_cell[k], tables.coarse_part[k]
        row = p[k]
        for l in range(LANES):
            left, right = log_template[cell, l], log_template[cell + 1, l]
            row[l] = tables.template_power * (left + part * (right - left))
        for tap in range(tables.bump.shape[1]):
            value, source = tables.bump[k, tap], bumps[first + tap]
            for l in range(LANES):
                row[l] += value * source[l]
        for l in range(LANES):
            largest[l] = row[l] if row[l] > largest[l] else largest[l]
    total[:] = F(0.0)
    for k in range(n_z):
        row, weight = p[k], tables.z_weight[k]
        for l in range(LANES):
            row[l] = _exp(row[l] - largest[l])
        for l in range(LANES):
            total[l] += weight * row[l]
    n_step = tables.pit_density.size - 1
    for l in range(LANES):
        largest[l] = F(n_step) / total[l]
    below[:] = F(0.0)
    total[:] = F(0.0)
    for k in range(n_z):
        row, weight = p[k], tables.z_weight[k]
        for l in range(LANES):
            mass = weight * row[l]
            at = min((below[l] + F(0.5) * mass) * largest[l], F(n_step) * F(0.999999))
            below[l] += mass
            step = np.int32(at)
            low = tables.pit_density[step]
            value = row[l] * (low + (at - F(step)) * (tables.pit_density[step + 1] - low))
            row[l] = value
            total[l] += weight * value


@njit(**OPTIONS)
def _distances(mag, seen, noise, domain, nearest):
    """Least distance to the places of the domain, in units of what is usual there; colours in the common bands only."""
    n_band = mag.shape[0]
    n, first, second = np.empty(LANES, np.float32), np.empty(LANES, np.float32), np.empty(LANES, np.float32)
    nearest[:] = F(1e30)
    w_colour, w_mag, w_noise = domain.weights[0], domain.weights[1], domain.weights[2]
    for place in range(domain.radius.size):
        n[:] = F(0.0)
        first[:] = F(0.0)
        second[:] = F(0.0)
        for b in range(n_band):
            there, known = domain.mag[place, b], domain.seen[place, b]
            for l in range(LANES):
                both = known * seen[b, l]
                apart = (mag[b, l] - there) * both
                n[l] += both
                first[l] += apart
                second[l] += apart * apart
        inverse, level = F(1.0) / domain.radius[place] ** 2, domain.noise[place]
        for l in range(LANES):
            common = max(n[l], F(1.0))
            mean = first[l] / common
            colour = max(second[l] - first[l] * mean, F(0.0)) * F(n_band) / common
            louder = noise[l] - level
            d2 = w_colour * colour + w_mag * mean * mean + w_noise * louder * louder
            d2 = d2 * inverse if n[l] > F(0.0) else F(1e30)
            nearest[l] = d2 if d2 < nearest[l] else nearest[l]
    for l in range(LANES):
        nearest[l] = np.sqrt(nearest[l])


@njit(**OPTIONS)
def _place_of(x, n_band, lane, mag, seen, noise):
    """Coordinates of one object in the domain, from its photometric features."""
    total, n = F(0.0), F(0.0)
    for b in range(n_band):
        known = not np.isnan(x[b, lane])
        mag[b, lane] = x[b, lane] if known else F(0.0)
        seen[b, lane] = F(1.0) if known else F(0.0)
        if known:
            total += x[2 * n_band - 1 + b, lane]
            n += F(1.0)
    noise[lane] = total / max(n, F(1.0))


@njit(**OPTIONS)
def _all_distances(flux, err, softening, domain, out):
    n_obj, n_band = flux.shape
    x = np.zeros((4 * n_band - 1, LANES), dtype=np.float32)
    mag, seen = np.zeros((n_band, LANES), np.float32), np.zeros((n_band, LANES), np.float32)
    noise, nearest = np.zeros(LANES, np.float32), np.empty(LANES, np.float32)
    for start in range(0, n_obj, LANES):
        n_lane = min(LANES, n_obj - start)
        for lane in range(n_lane):
            _photometric(flux[start + lane], err[start + lane], softening, x, lane)
            _place_of(x, n_band, lane, mag, seen, noise)
        _distances(mag, seen, noise, domain, nearest)
        out[start : start + n_lane] = nearest[:n_lane]


def domain_distance(
    flux: NDArray[np.float32], flux_err: NDArray[np.float32], softening: NDArray[np.float64], domain: Domain
) -> NDArray[np.float32]:
    """Distance of objects from the nearest place of the domain, in units of what is usual there.

    Parameters
    ----------
    flux, flux_err : ndarray of float32, (n_obj, n_band)
        nJy, NaN where missing.
    softening : ndarray of float64, (n_band,)
        Of the asinh magnitudes, nJy.
    domain : Domain
        See there.

    Returns
    -------
    ndarray of float32, (n_obj,)
        1e15 for an object that shares no band with any place.
    """
    out = np.empty(flux.shape[0], dtype=np.float32)
    _all_distances(flux, flux_err, softening, domain, out)
    return out


@njit(**OPTIONS)
def _estimate(
    flux, err, template_pdf, misfit, coarse, group, softening, mean, scale, bare, hybrid, domain, tables, belief,
    pdf, inside,
):  # fmt: skip
    n_obj, n_band = flux.shape
    n_z, n_coarse = pdf.shape[1], coarse.size
    n_photometric = 4 * n_band - 1
    n_bump = bare.last.shape[1]
    n_hidden = max(bare.first.shape[1], hybrid.first.shape[1])
    n_input = max(bare.first.shape[2], hybrid.first.shape[2])
    with_templates = hybrid.first.shape[0] > 0
    x = np.zeros((n_input, LANES), np.float32)
    h, y = np.zeros((n_hidden, LANES), np.float32), np.zeros((n_hidden, LANES), np.float32)
    output, bumps = np.zeros((n_bump, LANES), np.float32), np.zeros((n_bump, LANES), np.float32)
    log_template = np.zeros((n_coarse, LANES), np.float32)
    p = np.zeros((n_z, LANES), np.float32)
    largest, total, below = np.empty(LANES, np.float32), np.empty(LANES, np.float32), np.empty(LANES, np.float32)
    mag, seen = np.zeros((n_band, LANES), np.float32), np.zeros((n_band, LANES), np.float32)
    noise, nearest = np.zeros(LANES, np.float32), np.zeros(LANES, np.float32)
    other = np.empty(n_z, np.float32)
    for start in range(0, n_obj, LANES):
        n_lane = min(LANES, n_obj - start)
        for lane in range(n_lane):
            g = start + lane
            _photometric(flux[g], err[g], softening, x, lane)
            _place_of(x, n_band, lane, mag, seen, noise)
            if with_templates:
                _template(template_pdf[g], misfit[g], coarse, group, x, n_photometric, lane)
                _log_of_template(template_pdf[g], log_template, lane)
        used = mean.size
        _standardise(x, mean, scale, used)
        bumps[:] = F(0.0)
        _add_networks(x[: bare.first.shape[2]], bare, h[: bare.first.shape[1]], y, output, bumps)
        if with_templates:
            _add_networks(x[: hybrid.first.shape[2]], hybrid, h[: hybrid.first.shape[1]], y, output, bumps)
        _densities_of_lanes(bumps, log_template, tables, p, largest, total, below)
        _distances(mag, seen, noise, domain, nearest)
        for lane in range(n_lane):
            g = start + lane
            beyond = min(max(nearest[lane] - F(1.0), F(0.0)), F(30.0))
            share = np.exp(-belief * beyond * beyond)
            inside[g] = share
            if share > F(0.999):
                factor = F(1.0) / total[lane]
                for k in range(n_z):
                    pdf[g, k] = p[k, lane] * factor
                continue
            amount = _other_density(template_pdf[g], with_templates, tables, other)
            own, theirs = share / total[lane], (F(1.0) - share) / amount
            for k in range(n_z):
                pdf[g, k] = p[k, lane] * own + other[k] * theirs


@njit(**OPTIONS)
def _log_of_template(pdf, out, lane):
    peak = F(0.0)
    for k in range(pdf.size):
        peak = pdf[k] if pdf[k] > peak else peak
    if peak > F(0.0):
        for k in range(pdf.size):
            out[k, lane] = np.log(max(pdf[k] / peak, LOG_FLOOR))
    else:
        for k in range(pdf.size):
            out[k, lane] = F(0.0)


@njit(**OPTIONS)
def _other_density(template_pdf, with_templates, tables, other):
    """Density outside the domain: of the templates where they have one, or the fallback; returns its integral."""
    amount = F(0.0)
    fitted = with_templates and not np.isnan(template_pdf[0])
    for k in range(other.size):
        value = tables.fallback[k]
        if fitted:
            cell, part = tables.coarse_cell[k], tables.coarse_part[k]
            value = template_pdf[cell] + part * (template_pdf[cell + 1] - template_pdf[cell]) + F(0.1) * value
        other[k] = value
        amount += tables.z_weight[k] * value
    return amount


def densities(
    flux: NDArray[np.float32],
    flux_err: NDArray[np.float32],
    *,
    template_pdf: NDArray[np.float32],
    misfit: NDArray[np.float32],
    coarse: NDArray[np.float64],
    group: int,
    softening: NDArray[np.float64],
    mean: NDArray[np.float32],
    scale: NDArray[np.float32],
    bare: Network,
    hybrid: Network,
    domain: Domain,
    tables: DensityTables,
    belief: float,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Densities of objects.

    The outputs of all networks are added (they hold their share already), which is the geometric mean of their
    densities; times the template density to a power; made uniform in its cumulative; and, outside the domain, mixed
    with the template density.

    Parameters
    ----------
    flux, flux_err : ndarray of float32, (n_obj, n_band)
        nJy, NaN where missing.
    template_pdf : ndarray of float32, (n_obj, n_coarse)
        Densities of the template fit, NaN without one; of any content when there are no hybrid networks.
    misfit : ndarray of float32, (n_obj,)
        Its chi-square.
    coarse : ndarray of float64, (n_coarse,)
        Its grid.
    group : int
        See :func:`template_features`.
    softening : ndarray of float64, (n_band,)
        nJy.
    mean, scale : ndarray of float32, (n_feature,)
        Subtracted from the features, and multiplied to them then.
    bare, hybrid : Network
        Networks that see the photometry, and those that see the templates too.
    domain : Domain
        See there.
    tables : DensityTables
        See there.
    belief : float
        The share of the networks is exp(-belief (r - 1)^2) at a distance r > 1 from the domain.

    Returns
    -------
    pdf : ndarray of float32, (n_obj, n_z)
        Unit integral.
    in_train_domain : ndarray of float32, (n_obj,)
        The share of the networks.
    """
    pdf = np.empty((flux.shape[0], tables.z_weight.size), dtype=np.float32)
    inside = np.empty(flux.shape[0], dtype=np.float32)
    _estimate(
        flux, flux_err, template_pdf, misfit, coarse, group, softening, mean, scale, bare, hybrid, domain, tables,
        F(belief), pdf, inside,
    )  # fmt: skip
    return pdf, inside
