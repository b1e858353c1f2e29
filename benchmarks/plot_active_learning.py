"""Draw how the extrapolation of a potential falls from round to round of active learning.

python benchmarks/plot_active_learning.py results/silicon docs/figures/active-learning.png
"""

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from acefit.artifacts import read_frame


def main(results: Path, figure: Path) -> None:
    """Largest gamma along all walks of each round, and how many structures each round labelled."""
    rounds = sorted(folder for folder in results.glob("round-*") if (folder / "explore").is_dir())
    fig, axes = plt.subplots(1, len(rounds), figsize=(3.2 * len(rounds), 2.8), sharey=True, layout="constrained")
    for ax, folder in zip(np.atleast_1d(axes), rounds, strict=True):
        largest = 0.0
        for path in sorted(folder.glob("explore/walk-*/gamma.parquet")):
            table = read_frame(path, "exploration")
            largest = max(largest, table["gamma"].max())
            for start, part in table.groupby("start"):
                ax.plot(part["time"], part["gamma"], lw=1.2, label=f"{path.parent.name}, start {start}")
        n_labelled = len(read_frame(folder / "label/structures.parquet", "structures"))
        ax.axhline(1.0, color="0.6", lw=0.8, ls="--")
        ax.set(title=f"{folder.name}: {n_labelled} labelled", xlabel="time (fs)", yscale="log")
        print(f"| {folder.name} | {n_labelled} | {largest:.2f} |")
    np.atleast_1d(axes)[0].set_ylabel("largest gamma")
    np.atleast_1d(axes)[0].legend(frameon=False, fontsize=7)
    figure.parent.mkdir(parents=True, exist_ok=True)
    fig.savefig(figure, dpi=130)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]))
