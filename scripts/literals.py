#!/usr/bin/env python3
"""Makes crates/dgm-core/tests/literals.json: densities, divergences and their gradients to 50 digits.

Every input is a number that f32 holds exactly, so a difference in the tests is an error of the code and never of the
input. Moderate inputs are computed a second time by SciPy and PyTorch in float64, and have to agree to 1e-9.

    pip install mpmath numpy scipy torch
    python scripts/literals.py            write the file
    python scripts/literals.py --check    only compare the file that is there

An entry: `inputs` and `gradients` (of the sum of the values) by name, flat, each of `shape` or a column of as many
rows; `value` with one number for each element or row. `value_scale` and `gradient_scales` are the sizes of what cancels
in the formula, or what the rounding of a difference of inputs is multiplied by: 0 where nothing is and f32 can be held
to a relative error alone.

The formulas stand in literals_formulas.py, the grids in literals_densities.py (one number), literals_rows.py
(categoricals and mixtures) and literals_divergences.py, the second source in literals_second_source.py.
"""

import json
from pathlib import Path

import literals_densities as densities
import literals_divergences as divergences
import literals_rows as rows
from literals_entry import write_or_check
from literals_second_source import cross_check

OUTPUT = Path(__file__).resolve().parent.parent / "crates" / "dgm-core" / "tests" / "literals.json"

FAMILIES = [
    densities.bernoulli_entries,
    densities.continuous_bernoulli_entries,
    densities.normal_entries,
    densities.laplace_entries,
    densities.student_t_entries,
    densities.poisson_entries,
    densities.negative_binomial_entries,
    densities.discretized_logistic_entries,
    rows.categorical_entries,
    rows.beta_binomial_entries,
    rows.normal_mixture_entries,
    rows.discretized_logistic_mixture_entries,
    divergences.kl_entries,
    divergences.jensen_shannon_entries,
    divergences.mmd_entries,
]


def number(x, digits) -> str:
    x = float(x)
    if x == int(x) and abs(x) < 1e6:
        return str(int(x))
    # Far below what f32 can hold; and where numbers near 1 cancel, what is left of the digits.
    return f"{x:.{digits}g}" if abs(x) > 1e-60 else "0"


def written(entry) -> dict:
    def tidy(value, digits):
        if isinstance(value, dict):
            return {key: tidy(item, digits) for key, item in value.items()}
        if isinstance(value, list):
            return f"[{', '.join(number(x, digits) for x in value)}]"
        return number(value, digits)

    def scales(value):
        if isinstance(value, dict):
            return {key: scales(item) for key, item in value.items()}
        if isinstance(value, list) and len({float(x) for x in value}) == 1:
            return number(value[0], 3)
        return tidy(value, 3)

    digits = {"inputs": 9, "value": 10, "gradients": 10}
    out = {}
    for key, value in entry.items():
        if key in ("value_scale", "gradient_scales"):
            out[key] = scales(value)
        elif key in digits:
            out[key] = tidy(value, digits[key])
        else:
            out[key] = json.dumps(value)
    return out


def to_text(entries) -> str:
    blocks = []
    for entry in entries:
        lines = []
        for key, value in written(entry).items():
            if isinstance(value, dict):
                inner = ",\n".join(f"   {json.dumps(name)}: {item}" for name, item in value.items())
                value = f"{{\n{inner}\n  }}" if inner else "{}"
            lines.append(f"  {json.dumps(key)}: {value}")
        blocks.append(" {\n" + ",\n".join(lines) + "\n }")
    text = "[\n" + ",\n".join(blocks) + "\n]\n"
    json.loads(text)
    return text


def make():
    entries = [entry for family in FAMILIES for entry in family()]
    cross_check(entries)
    return to_text(entries), len(entries)


if __name__ == "__main__":
    write_or_check(OUTPUT, make)
