"""Check the gradient of the loss against central differences and print a table.

    python benchmarks/check_gradient.py [--step 1e-5] [--limit 1e-6]

Random potentials of 1, 2 and 3 elements, with every inner cutoff mode and both embeddings; all terms of the loss are on:
energies, forces, stresses, L1, L2, smoothness of all three orders, orthogonality. A deviation is divided by the largest component
of the gradient among the parameters of its kind. The exit status is 1 if one exceeds the limit.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from acefit.fit.loss import LossSettings
from gradients import gradient_errors, random_loss
from models import EMBEDDINGS, MODES, random_potential

SETTINGS = LossSettings(kappa=0.3, l1=1e-3, l2=2e-3, w0=1e-3, w1=2e-3, w2=3e-4, w_orth=0.02, kappa_stress=2.0)
KINDS = ("radial", "order 1", "order >= 2")


def main() -> int:
    """Print one line per potential; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--step", type=float, default=1e-5, help="step of the central differences (default 1e-5)")
    parser.add_argument("--limit", type=float, default=1e-6, help="largest relative deviation (default 1e-6)")
    options = parser.parse_args()
    print("| elements | inner cutoff | embedding | parameters |", " | ".join(KINDS), "|")
    print("|---|---|---|---:|" + "---:|" * len(KINDS))
    worst = 0.0
    for n_elements in (1, 2, 3):
        for mode in MODES:
            for npot in EMBEDDINGS:
                loss = random_loss(random_potential(n_elements, mode=mode, npot=npot), SETTINGS)
                errors = gradient_errors(loss, loss.layout.vector(), options.step)
                worst = max(worst, *errors.values())
                values = " | ".join(f"{errors[kind]:.1e}" for kind in KINDS)
                print(f"| {n_elements} | {mode} | {npot} | {loss.n_parameters} | {values} |", flush=True)
    print(f"\nlargest relative deviation {worst:.1e}, limit {options.limit:.1e}")
    return int(worst > options.limit)


if __name__ == "__main__":
    sys.exit(main())
