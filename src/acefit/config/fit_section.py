"""The `fit` section: loss, weighting, optimiser, ladder, cycles, stopping; and the `backend` section."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, StrictBool, Tag

from acefit.config.fields import (
    OR_NONE,
    Count,
    Fraction,
    Name,
    Names,
    NonNegative,
    Number,
    OpenFraction,
    Positive,
    Section,
    Seed,
    Whole,
    key,
)

OptimizerName = Literal["BFGS", "ScaledBFGS", "L-BFGS-B", "CG", "Newton-CG", "trust-constr", "Adam"]
Kind = Literal["func", "radial", "all"]
LadderStep = Annotated[Count | OpenFraction, Field(union_mode="left_to_right")]

# Options of each optimiser. Those without effect only print, or control what an analytic gradient makes superfluous.
OPTIMIZER_OPTIONS: dict[str, frozenset[str]] = {
    "BFGS": frozenset({"gtol", "norm", "xrtol", "c1", "c2"}),
    "ScaledBFGS": frozenset({"gtol", "norm", "xrtol", "c1", "c2", "order_scale", "radial_scale"}),
    "L-BFGS-B": frozenset({"maxcor", "ftol", "gtol", "maxfun", "maxls"}),
    "CG": frozenset({"gtol", "norm", "c1", "c2"}),
    "Newton-CG": frozenset({"xtol", "c1", "c2"}),
    "trust-constr": frozenset({"gtol", "xtol", "initial_tr_radius"}),
    "Adam": frozenset({"batch_size", "learning_rate", "decay", "beta_1", "beta_2", "epsilon", "gtol"}),
}
OPTIONS_WITHOUT_EFFECT = frozenset({"disp", "eps", "finite_diff_rel_step", "iprint", "return_all", "verbose"})


class LossSettings(Section):
    """The loss: (1 - kappa) energies + kappa forces + stresses + regularisation."""

    kappa: Literal["auto"] | Fraction = key(
        0.0, "Weight of the forces against the energies; `auto`: from the spread of energies and forces in the training set"
    )
    kappa_stress: NonNegative = key(
        0.0, "Factor of the weighted squared stress errors; 0 leaves stresses out", unit="(eV/Angstrom^3)^-2", ours=True
    )
    L1_coeffs: NonNegative = key(0.0, "Factor of the sum of absolute function coefficients")
    L2_coeffs: NonNegative = key(0.0, "Factor of the sum of squared function coefficients")
    w0_rad: NonNegative = key(0.0, "Factor of the magnitude of the radial functions")
    w1_rad: NonNegative = key(0.0, "Factor of the magnitude of their first derivatives")
    w2_rad: NonNegative = key(0.0, "Factor of the magnitude of their second derivatives")
    w_orth: NonNegative = key(0.0, "Factor of the deviation of the radial coefficients from orthonormality")


JOINT = "Select and weight training and test structures together, as pacemaker does; false: the test set has no influence"


class UniformWeightingPolicy(Section):
    """Every structure and every atom count the same."""

    type: Literal["UniformWeightingPolicy"] = key(..., "Name of the policy", ours=True)


class EnergyBasedWeightingPolicy(Section):
    """Structures low in energy count more; structures high in energy or force are left out."""

    type: Literal["EnergyBasedWeightingPolicy"] = key(..., "Name of the policy")
    DElow: NonNegative = key(1.0, "Upper end of the lower tier, above the reference chosen with `energy`", unit="eV/atom")
    DEup: Positive = key(10.0, "Structures from here on are left out", unit="eV/atom")
    DFup: Annotated[Positive | None, OR_NONE] = key(
        None, "Structures with a larger force on any atom are left out", unit="eV/Angstrom"
    )
    DE: Positive = key(1.0, "Offset in the energy weight 1/(e + DE)^2", unit="eV/atom")
    DF: Positive = key(1.0, "Offset in the force weight 1/(|F|^2 + DF)", unit="(eV/Angstrom)^2")
    wlow: Annotated[Fraction | None, OR_NONE] = key(None, "Total energy weight of the lower tier")
    energy: Literal["convex_hull", "cohesive"] = key("convex_hull", "Energies count from the convex hull or the lowest energy")
    reftype: Literal["all", "bulk", "cluster"] = key("all", "Use all structures, only fully periodic ones, or only the others")
    nfit: Annotated[Count | None, OR_NONE] = key(None, "Number of structures to draw, lower tier first")
    n_lower: Annotated[Whole | None, OR_NONE] = key(None, "Number of structures to draw from the lower tier (with n_upper)")
    n_upper: Annotated[Whole | None, OR_NONE] = key(None, "Number of structures to draw from the upper tier (with n_lower)")
    seed: Annotated[Seed | None, OR_NONE] = key(None, "Random seed of the selection; default: the top-level seed")
    joint: bool = key(False, JOINT, ours=True)
    cutoff: Any = key(None, "Cutoff", ignored="it has no effect in pacemaker either")


class ExternalWeightingPolicy(Section):
    """Weights are read from a file; structures without a weight there are left out."""

    type: Literal["ExternalWeightingPolicy"] = key(..., "Name of the policy")
    filename: Name | None = key(None, "File with the columns w_energy and w_forces and an index into the dataset")
    filename_or_df: Name | None = key(None, "Other name of `filename`")
    joint: bool = key(False, JOINT, ours=True)

    @property
    def file(self) -> str:
        """The weight file; the empty string if none is given, which the relations report."""
        return self.filename or self.filename_or_df or ""


POLICIES = ("EnergyBasedWeightingPolicy", "ExternalWeightingPolicy", "UniformWeightingPolicy")


def _policy(value: Any) -> str | None:
    if isinstance(value, Section):
        return str(getattr(value, "type", ""))
    name = value.get("type") if isinstance(value, dict) else None
    return name if name in POLICIES else None


Weighting = Annotated[
    Annotated[EnergyBasedWeightingPolicy, Tag(POLICIES[0])]
    | Annotated[ExternalWeightingPolicy, Tag(POLICIES[1])]
    | Annotated[UniformWeightingPolicy, Tag(POLICIES[2])],
    Discriminator(
        _policy,
        custom_error_type="weighting_type",
        custom_error_message=f"`type` must be one of {', '.join(POLICIES)}",
    ),
]


def _spelling(value: Any) -> Any:
    """Optimiser names are case-insensitive, as in scipy."""
    names = {name.lower(): name for name in OPTIMIZER_OPTIONS}
    return names.get(value.lower(), value) if isinstance(value, str) else value


class FitSection(Section):
    """How the parameters are fitted."""

    loss: LossSettings = key(LossSettings(), "Terms of the loss")
    weighting: Weighting | None = key(None, "Weighting policy; default: uniform, or the weights of the dataset")
    optimizer: Annotated[OptimizerName, BeforeValidator(_spelling)] = key("BFGS", "Minimiser")
    maxiter: Whole = key(
        100, "Largest number of iterations of one minimisation, per fit cycle and ladder step; with Adam, of passes over the data"
    )
    options: dict[str, Annotated[StrictBool | Number, Field(union_mode="left_to_right")]] = key(
        {},
        "Options of the minimiser: "
        + "; ".join(f"{name}: {', '.join(sorted(options))}" for name, options in OPTIMIZER_OPTIONS.items())
        + ". batch_size: structures per step of Adam, default 32, the whole set if there are no more",
    )
    fit_cycles: Count = key(1, "Number of minimisations per ladder step; the best one counts")
    noise_relative_sigma: NonNegative = key(
        0.0, "Before later cycles every trainable coefficient c gets noise of width sigma * max(|c|, 0.01)"
    )
    noise_absolute_sigma: NonNegative = key(0.0, "Before later cycles every trainable coefficient gets noise of this width")
    randomize_func_coeffs: NonNegative = key(
        0.0, "Before later cycles trainable function coefficients are drawn anew with this width; all cycles form an ensemble"
    )
    restarts: Literal["chain", "parallel"] | None = key(
        None,
        "Later cycles start from the best so far (chain) or all from the first one, side by side (parallel); "
        "default: parallel with randomize_func_coeffs, else chain",
        ours=True,
    )
    ladder_step: LadderStep | Annotated[list[LadderStep], Field(min_length=1)] | None = key(
        None, "Functions added per ladder step: a number, a share of the present number, or a list of which the largest counts"
    )
    ladder_type: Literal["body_order", "power_order"] = key(
        "body_order", "Order in which functions are added: by order, n, l; or by order + sum(n) + sum(l)"
    )
    ladder_mode: Literal["block", "total"] = key(
        "block", "The step counts for every block (as in pacemaker), or for the whole potential", ours=True
    )
    trainable_parameters: str | list[str] | dict[str, Kind | list[Kind]] = key(
        "ALL",
        "What is fitted: ALL, func, radial, UNARY ... QUINARY, blocks such as AlNi, a list of these, or a map of them to func, "
        "radial or all",
    )
    min_relative_train_loss_per_iter: Number | None = key(
        None, "Stop a minimisation when the training loss falls more slowly than this share per iteration throughout the patience"
    )
    min_relative_test_loss_per_iter: Number | None = key(None, "The same for the test loss")
    early_stopping_patience: Count = key(200, "Number of iterations these criteria look at")
    callbacks: Name | Names | None = key(None, "Functions called after every iteration, as importable dotted names")
    callback_errors: Literal["report", "stop"] = key(
        "report", "What an error in a callback does: be logged once, or stop the fit", ours=True
    )
    repulsion: Literal["auto"] | None = key(
        None, "`auto`: give the fitted potential ZBL repulsion below the shortest distance of each pair in the training set"
    )
    max_memory: Positive | None = key(
        None,
        "Memory of one fit; one that would need more streams its pairs (`stream`), or is refused at its start. Default: what the "
        "machine has free when it starts",
        unit="MB",
        ours=True,
    )
    stream: Literal["auto", "always", "never"] = key(
        "auto",
        "Keep the pairs of a fit in temporary files in its folder, of which only the part that is worked on is in memory; auto: "
        "if they would not fit into memory. The result is the same",
        ours=True,
    )


NOT_NEEDED = "it has no meaning here"


class BackendSection(Section):
    """How energies are evaluated; most of pacemaker's keys have no meaning here."""

    tables: bool = key(False, "Fit and predict with tabulated radial functions, as pacemaker's evaluators do", ours=True)
    display_step: Count = key(20, "The test set is evaluated every so many iterations")
    batch_size: Any = key(
        None, "Number of structures per batch", ignored="the set is evaluated at once; Adam: fit.options.batch_size"
    )
    evaluator: Any = key(None, "Program that evaluates the loss", ignored="there is one evaluator")
    batch_size_reduction: Any = key(None, "Retry with smaller batches", ignored=NOT_NEEDED)
    batch_size_reduction_factor: Any = key(None, "Factor of that reduction", ignored=NOT_NEEDED)
    gpu_config: Any = key(None, "GPU settings", ignored="fits run on CPUs")
    parallel_mode: Any = key(None, "Kind of parallelism", ignored="Snakemake's --cores sets the number of threads")
    n_workers: Any = key(None, "Number of processes", ignored="Snakemake's --cores sets the number of threads")
    imagetype: Any = key(None, "Format of figures", ignored="figures are PNG files")
