"""The optimiser's own share of the time of a minimisation.

    python benchmarks/measure_optimizer.py ethanol [cu-large ...] [--optimizers BFGS L-BFGS-B] [--iterations 30] [--shared DIR]

The share is the time outside the loss function over the whole; seconds are means over the iterations.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from acefit.fit.optimizers import minimize
from measure_loss import build_loss
from shapes import TRAINING_SETS, load_training_set


def main() -> None:
    """Print a line for each case and optimiser."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="+", choices=TRAINING_SETS)
    parser.add_argument("--optimizers", nargs="+", default=["BFGS", "L-BFGS-B"])
    parser.add_argument("--iterations", type=int, default=30)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--shared", type=Path)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    for case in options.cases:
        data = load_training_set(case, options.shared, options.quick)
        loss = build_loss(data, options.threads)
        x = loss.layout.vector()
        loss(x)
        for method in options.optimizers:
            found = minimize(loss, x, method=method, maxiter=options.iterations)
            own = found.seconds - found.seconds_evaluating
            print(
                f"{case} {method}: {loss.n_parameters} parameters, {found.iterations} iterations, {found.evaluations} losses of "
                f"{found.seconds_evaluating / found.evaluations * 1e3:.1f} ms; own {own / found.iterations * 1e3:.2f} ms each, "
                f"{100 * own / found.seconds:.1f} % of the time",
                flush=True,
            )


if __name__ == "__main__":
    main()
