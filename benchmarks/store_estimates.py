"""How well sex and age are read off random adults of openhead that were not used to fit the estimates.

Run `python benchmarks/store_estimates.py [--write] [--json]`; about 40 s on one core. With
--write the weights go into tools/store/estimates.npz; without it only the errors are told.
"""

from __future__ import annotations

import argparse
import json

import numpy as np

from facegpt_model.morphable.openhead import OpenHead
from tools.store.estimates import FILE, fit
from tools.writing import write_through


def main() -> None:
    """Fit, tell the errors, and write the weights if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"write {FILE.name}")
    parser.add_argument("--json", action="store_true", help="one JSON object on the last line")
    options = parser.parse_args()
    weights, errors = fit(OpenHead())
    if options.write:
        write_through(FILE, lambda path: np.savez(path, weights=weights))
        print(f"wrote {FILE}")
    for name, value in errors.items():
        print(f"{name:24} {value:.3f}")
    if options.json:
        print(json.dumps(errors))


if __name__ == "__main__":
    main()
