"""What an entry of literals.json is made of: inputs that f32 holds exactly, values and gradients to many digits."""

import sys

import mpmath as mp
import numpy as np

mp.mp.dps = 50
# Values are computed with more, so that even a divergence of 1e-40 between logits of 80 keeps its digits.
VALUE_DIGITS = 120


def f32(x) -> float:
    return float(np.float32(x))


def partial(function, arguments, i):
    """∂/∂argument i by a central difference in 150 digits: exact in all that are written."""
    with mp.workdps(150):
        step = mp.mpf(10) ** -40
        up, down = list(arguments), list(arguments)
        up[i] = arguments[i] + step
        down[i] = arguments[i] - step
        return (function(*up) - function(*down)) / (2 * step)


def elementwise(name, function, names, columns, differentiable, value_scale=None, gradient_scales=None, **extra):
    """An entry of independent numbers: columns[i] holds the values of argument names[i]; `extra` are constants."""
    columns = [[f32(x) for x in column] for column in columns]
    rows = [[mp.mpf(x) for x in row] for row in zip(*columns)]
    of_row = lambda *row: function(*row, **extra)
    scale_of = lambda scale: [scale(*row, **extra) for row in rows] if scale else 0
    entry = {"name": name, "shape": [len(rows)], "inputs": dict(zip(names, columns)), **extra}
    with mp.workdps(VALUE_DIGITS):
        entry["value"] = [of_row(*row) for row in rows]
    entry |= {"value_scale": scale_of(value_scale), "gradients": {}, "gradient_scales": {}}
    for wanted in differentiable:
        i = names.index(wanted)
        entry["gradients"][wanted] = [partial(of_row, row, i) for row in rows]
        entry["gradient_scales"][wanted] = scale_of((gradient_scales or {}).get(wanted))
    return entry


def rowwise(
    name, function, names, matrices,
    differentiable=None, value_scale=None, gradient_scale=None, gradient_scales=None, **extra,
):  # fmt: skip
    """An entry with one value per row: matrices[i] is the [n, k] or [n, 1] argument names[i].

    The function gets a list for each matrix, a number for the column "x", and what is in `extra`: constants, and lists
    with a number for each row. `gradient_scale(column, **extra)` serves all matrices; `gradient_scales[name]` gets the
    function's arguments and gives a list (or a number). `differentiable`: all of `names` unless given.
    """
    matrices = [[[f32(x) for x in row] for row in matrix] for matrix in matrices]
    n, widths = len(matrices[0]), [len(matrix[0]) for matrix in matrices]
    differentiable = differentiable or names
    scaled = differentiable if gradient_scale else [name for name in differentiable if name in (gradient_scales or {})]
    entry = {
        "name": name,
        "shape": [n, widths[0]],
        "inputs": {name: sum(matrix, []) for name, matrix in zip(names, matrices)},
        **extra,
        "value": [],
        "value_scale": [] if value_scale else 0,
        "gradients": {name: [] for name in differentiable},
        "gradient_scales": {name: [] if name in scaled else 0 for name in differentiable},
    }
    is_column = [name == "x" for name in names]
    starts = np.cumsum([0, *widths])
    for row in range(n):
        more = {key: values[row] if isinstance(values, list) else values for key, values in extra.items()}
        flat = [mp.mpf(x) for matrix in matrices for x in matrix[row]]

        def arguments(flat):
            parts = [list(flat[a:b]) for a, b in zip(starts, starts[1:])]
            return [part[0] if column else part for part, column in zip(parts, is_column)]

        of_flat = lambda *flat: function(*arguments(flat), **more)
        with mp.workdps(VALUE_DIGITS):
            entry["value"].append(of_flat(*flat))
        if value_scale:
            entry["value_scale"].append(value_scale(*arguments(flat), **more))
        for name in differentiable:
            i = names.index(name)
            entry["gradients"][name] += [partial(of_flat, flat, j) for j in range(starts[i], starts[i + 1])]
            if gradient_scale:
                entry["gradient_scales"][name] += [gradient_scale(column, **more) for column in range(widths[i])]
            elif name in scaled:
                scales = gradient_scales[name](*arguments(flat), **more)
                entry["gradient_scales"][name] += scales if isinstance(scales, list) else [scales]
    return entry


def write_or_check(output, make) -> None:
    """Writes what `make` returns, a text and its number of entries; with --check only compares the file that is there."""
    if sys.argv[1:] not in ([], ["--check"]):
        sys.exit(f"unknown arguments {sys.argv[1:]}: expected nothing or --check")
    text, entries = make()
    if not sys.argv[1:]:
        output.write_text(text, encoding="ascii")
        print(f"{output.name}: {entries} entries, {len(text)} bytes")
    elif output.read_text(encoding="ascii") != text:
        sys.exit(f"{output.name} is not what this script writes")
    else:
        print(f"{output.name}: as expected")
