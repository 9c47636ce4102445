"""What an entry of objective_literals.json is made of: inputs that f32 holds exactly, losses and gradients."""

import mpmath as mp
import numpy as np
from literals_entry import f32, partial


def row_weight(i):
    return mp.mpf(1) / 2 + mp.mpf(int(i) % 7) / 4


def entry(name, inputs, function, value_scale=0, gradient_scales=None, gradients=None, **settings):
    """inputs: name → array; function: the arrays as nested lists of mpf → the list of values.

    `gradients` by name, where they are not the derivatives of the values.
    """
    inputs = {key: np.vectorize(f32)(np.asarray(value, dtype=float)) for key, value in inputs.items()}
    shapes = {key: list(value.shape) for key, value in inputs.items()}
    flat = [mp.mpf(float(x)) for value in inputs.values() for x in value.ravel()]

    def values(*flat):
        out, at = [], 0
        for shape in shapes.values():
            size = int(np.prod(shape))
            out.append(np.array(flat[at : at + size], dtype=object).reshape(shape).tolist())
            at += size
        return function(*out)

    if gradients is None:
        total = lambda *flat: mp.fsum(row_weight(i) * value for i, value in enumerate(values(*flat)))
        slopes = [partial(total, flat, i) for i in range(len(flat))]
        gradients, at = {}, 0
        for key, value in inputs.items():
            gradients[key] = slopes[at : at + value.size]
            at += value.size
    return {
        "name": name,
        "shapes": shapes,
        "inputs": {key: value.ravel().tolist() for key, value in inputs.items()},
        **settings,
        "value": values(*flat),
        "value_scale": value_scale,
        "gradients": gradients,
        "gradient_scales": {key: (gradient_scales or {}).get(key, 0) for key in inputs},
    }


def round64(x):
    return np.round(np.asarray(x) * 64) / 64
