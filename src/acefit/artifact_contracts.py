"""Columns of every Parquet table this package writes: name, type, unit and meaning, registered once.

Reading and writing are in `acefit.artifacts`. A change of a column's meaning, unit or type raises the contract's version.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Parameters
    ----------
    name : str
        Name in the file.
    dtype : str
        ``bool``, ``int16``, ``int32``, ``int64``, ``float64`` or ``string``; ``float64[3]`` is a fixed-size list of three.
    unit : str
        Unit of the numbers; ``1`` for pure numbers and labels.
    meaning : str
        What the column holds; what NaN means where it may occur.
    """

    name: str
    dtype: str
    unit: str
    meaning: str


@dataclass(frozen=True)
class Contract:
    """The columns of one kind of table.

    Parameters
    ----------
    name : str
        Name under which tables of this kind are written and read.
    version : int
        Raised whenever a column changes its meaning, unit or type.
    columns : tuple of Column
        Required columns in file order.
    extra : Column, optional
        Type, unit and meaning of further columns that the writer may add; none are allowed without it.
    """

    name: str
    version: int
    columns: tuple[Column, ...]
    extra: Column | None = None


_STRUCTURE = Column("structure", "int64", "1", "row of the structure in the dataset")
_SUBSET = Column("subset", "string", "1", "train, test or excluded")
_REASON = Column("reason", "string", "1", "why the structure is in this subset or has this weight")

STRUCTURES = Contract(
    "structures",
    1,
    (
        _STRUCTURE,
        Column("name", "string", "1", "name given in the file, else <file>:<row>"),
        Column("group", "string", "1", "group label, e.g. config_type; empty when none is given"),
        Column("source", "string", "1", "file the structure was read from"),
        Column("row", "int64", "1", "index of the structure in that file"),
        Column("role", "string", "1", "what the file was given as: data (to be split), train or test"),
        Column("n_atoms", "int64", "1", "number of atoms"),
        Column("first_atom", "int64", "1", "row of its first atom in the table of atoms"),
        Column("formula", "string", "1", "chemical formula, elements in alphabetical order"),
        Column("cell", "float64[9]", "Å", "cell vectors a, b, c, one after the other; zeros when there is none"),
        Column("pbc", "bool[3]", "1", "periodic along a, b, c"),
        Column("volume", "float64", "Å^3", "volume of the cell; NaN without a three-dimensional cell"),
        Column("energy", "float64", "eV", "total energy as given; NaN when absent"),
        Column("energy_corrected", "float64", "eV", "total energy minus references plus shift, which is fitted; NaN when absent"),
        Column("stress", "float64[6]", "eV/Å^3", "ASE sign, Voigt order xx yy zz yz xz xy; NaN when absent"),
        Column("w_energy", "float64", "1", "energy weight given with the data; NaN when absent"),
        Column("w_factor", "float64", "1", "factor on both weights given with the data; NaN when absent"),
    ),
)

ATOMS = Contract(
    "atoms",
    1,
    (
        _STRUCTURE,
        Column("number", "int64", "1", "atomic number"),
        Column("position", "float64[3]", "Å", "Cartesian position"),
        Column("force", "float64[3]", "eV/Å", "force; NaN when absent"),
        Column("w_force", "float64", "1", "force weight given with the data; NaN when absent"),
        Column("w_force_mask", "float64", "1", "mask on the force weights of augmented structures; NaN when absent"),
    ),
)

NEIGHBORLIST = Contract(
    "neighborlist",
    1,
    (
        Column("i", "int32", "1", "row of the centre atom in the table of atoms"),
        Column("j", "int32", "1", "row of the neighbour in the table of atoms"),
        Column("shift", "int16[3]", "1", "cell vectors added to the neighbour: r_ij = r_j + shift.cell - r_i"),
        Column("distance", "float64", "Å", "|r_ij|, smaller than the cutoff"),
    ),
)

SPLIT = Contract("split", 1, (_STRUCTURE, _SUBSET, _REASON))

WEIGHTS = Contract(
    "weights",
    1,
    (
        _STRUCTURE,
        _SUBSET,
        Column("w_energy", "float64", "1", "energy weight; the weights of each subset sum to 1; 0 when excluded"),
        Column("w_stress", "float64", "1", "stress weight; sums to 1 over the subset's structures with a stress, else 0"),
        Column("effective_energy", "float64", "eV/atom", "energy above the hull or the lowest one; NaN if the policy has none"),
        Column("tier", "string", "1", "lower or upper tier of the energy-based policy; empty without one"),
        _REASON,
    ),
)

WEIGHTS_ATOMS = Contract(
    "weights_atoms",
    1,
    (
        _STRUCTURE,
        Column("atom", "int64", "1", "row of the atom in the table of atoms"),
        Column("w_force", "float64", "1", "force weight; the weights of each subset sum to 1; 0 when excluded"),
    ),
)

EXPLORATION = Contract(
    "exploration",
    1,
    (
        Column("start", "int64", "1", "number of the structure from which this part of the walk started"),
        Column("step", "int64", "1", "time step, counted from there"),
        Column("time", "float64", "fs", "time since then"),
        Column("gamma", "float64", "1", "largest extrapolation grade of the atoms"),
    ),
)

FUNCTIONS = Contract(
    "functions",
    1,
    (
        Column("function", "int64", "1", "position in canonical order, from 0"),
        Column("element", "string", "1", "central element"),
        Column("block", "string", "1", "central element and the other distinct elements, sorted"),
        Column("order", "int64", "1", "number of A factors"),
        Column("neighbours", "string", "1", "element of each slot"),
        Column("n", "string", "1", "radial index of each slot, from 1; of the base function for order 1"),
        Column("l", "string", "1", "angular momentum of each slot"),
        Column("lint", "string", "1", "intermediate angular momenta; empty below order 3"),
        Column("power", "int64", "1", "order + sum of n + sum of l, the key of ladder_type power_order"),
        Column("first_parameter", "int64", "1", "entry of the parameter vector with the coefficient of the first density"),
        Column("n_parameters", "int64", "1", "number of coefficients, one per density of the central element"),
        Column("step", "int64", "1", "ladder step that adds the function; -1 when it is there from the start"),
    ),
)

PREDICTED_STRUCTURES = Contract(
    "predicted_structures",
    1,
    (
        _STRUCTURE,
        Column("name", "string", "1", "name of the structure"),
        Column("group", "string", "1", "group label; empty when none is given"),
        _SUBSET,
        _REASON,
        Column("n_atoms", "int64", "1", "number of atoms"),
        Column("formula", "string", "1", "chemical formula, elements in alphabetical order"),
        Column("energy", "float64", "eV", "total reference energy on the fitted scale; NaN when absent"),
        Column("energy_predicted", "float64", "eV", "total predicted energy on the fitted scale"),
        Column("energy_per_atom", "float64", "eV/atom", "energy divided by n_atoms; NaN when absent"),
        Column("energy_per_atom_predicted", "float64", "eV/atom", "energy_predicted divided by n_atoms"),
        Column("is_low_energy", "bool", "1", "within 1 eV/atom of the hull or of the subset's lowest energy"),
        Column("force_error_max", "float64", "eV/Å", "largest norm of a force error vector; NaN without reference forces"),
        Column("nn_min", "float64", "Å", "shortest distance; NaN when no two atoms are closer than the cutoff"),
        Column("volume", "float64", "Å^3", "volume of the cell; NaN without a three-dimensional cell"),
        Column("stress", "float64[6]", "eV/Å^3", "reference; ASE sign, Voigt order xx yy zz yz xz xy; NaN when absent"),
        Column(
            "stress_predicted", "float64[6]", "eV/Å^3", "predicted, as the reference; NaN unless periodic in three directions"
        ),
        Column("w_energy", "float64", "1", "energy weight; 0 when excluded"),
        Column("w_stress", "float64", "1", "stress weight; 0 when excluded or without a stress"),
    ),
)

PREDICTED_ATOMS = Contract(
    "predicted_atoms",
    1,
    (
        _STRUCTURE,
        Column("atom", "int64", "1", "row of the atom in the table of atoms"),
        Column("element", "string", "1", "chemical symbol"),
        Column("force", "float64[3]", "eV/Å", "reference force; NaN when absent"),
        Column("force_predicted", "float64[3]", "eV/Å", "predicted force"),
        Column("energy_predicted", "float64", "eV", "predicted energy of the atom on the fitted scale"),
        Column("nn_distance", "float64", "Å", "distance to the nearest neighbour; NaN when none is closer than the cutoff"),
        Column("w_force", "float64", "1", "force weight; 0 when excluded"),
    ),
)

METRICS = Contract(
    "metrics",
    1,
    (
        Column("subset", "string", "1", "train or test"),
        Column("ladder_step", "int64", "1", "number of the ladder step, from 0"),
        Column("cycle_step", "int64", "1", "number of the fit cycle, from 0"),
        Column("iter_num", "int64", "1", "iteration; 0 is the start"),
        Column("evaluations", "int64", "1", "evaluations of the training loss so far"),
        Column("time", "float64", "s", "wall time so far, interrupted runs included"),
        Column("evaluation_time", "float64", "s", "part of it inside the training loss"),
        Column("nfuncs", "int64", "1", "number of functions"),
        Column("ncoefs", "int64", "1", "number of parameters, radial ones of each unordered pair once"),
        Column("loss", "float64", "1", "value of the loss"),
        Column("e_loss", "float64", "(eV/atom)^2", "weighted sum of squared energy errors"),
        Column("f_loss", "float64", "(eV/Å)^2", "weighted sum of squared force errors"),
        Column("s_loss", "float64", "(eV/Å^3)^2", "weighted sum of squared stress errors, nine components each"),
        Column("e_loss_contrib", "float64", "1", "energy term of the loss, (1 - kappa) e_loss"),
        Column("f_loss_contrib", "float64", "1", "force term of the loss, kappa f_loss"),
        Column("s_loss_contrib", "float64", "1", "stress term of the loss, kappa_stress s_loss"),
        Column("reg_loss", "float64", "1", "sum of all regularisation terms"),
        Column("l1_reg_contrib", "float64", "1", "L1 term of the loss"),
        Column("l2_reg_contrib", "float64", "1", "L2 term of the loss"),
        Column("extra_regularization_contrib", "float64", "1", "sum of smoothness and orthogonality terms"),
        Column("smooth_w1", "float64", "1", "term of w0_rad"),
        Column("smooth_w2", "float64", "1", "term of w1_rad"),
        Column("smooth_w3", "float64", "1", "term of w2_rad"),
        Column("smooth_orth", "float64", "1", "term of w_orth"),
        *(
            Column(prefix + name, "float64", unit, f"{measure} of {what}{where}; NaN without any")
            for prefix, where in (("", ""), ("low_", ", structures of low energy only"))
            for name, unit, measure, what in (
                ("rmse_epa", "eV/atom", "root mean square error", "energies per atom"),
                ("mae_epa", "eV/atom", "mean absolute error", "energies per atom"),
                ("max_abs_epa", "eV/atom", "largest absolute error", "energies per atom"),
                ("rmse_f", "eV/Å", "root mean square length of the errors", "force vectors"),
                ("mae_f", "eV/Å", "mean length of the errors", "force vectors"),
                ("rmse_f_comp", "eV/Å", "root mean square error", "force components"),
                ("mae_f_comp", "eV/Å", "mean absolute error", "force components"),
                ("max_abs_f_comp", "eV/Å", "largest absolute error", "force components"),
            )
        ),
        Column("rmse_stress", "float64", "eV/Å^3", "root mean square error of stress components; NaN without any"),
        Column("mae_stress", "float64", "eV/Å^3", "mean absolute error of stress components; NaN without any"),
        Column("max_abs_stress", "float64", "eV/Å^3", "largest absolute error of stress components; NaN without any"),
    ),
)

CYCLES = Contract(
    "cycles",
    1,
    (
        Column("step", "int64", "1", "number of the ladder step, from 0"),
        Column("cycle", "int64", "1", "number of the fit cycle, from 0"),
        Column("selected", "bool", "1", "whether this is the best cycle of the step"),
        Column("loss", "float64", "1", "loss of the cycle's best point"),
        Column("reason", "string", "1", "why the minimisation ended"),
        Column("converged", "bool", "1", "whether a tolerance was met"),
        Column("iterations", "int64", "1", "iterations made"),
        Column("evaluations", "int64", "1", "evaluations of the training loss"),
        Column("n_functions", "int64", "1", "number of functions"),
        Column("n_parameters", "int64", "1", "number of parameters"),
        Column("rmse_epa_train", "float64", "eV/atom", "energy error of the training set; NaN when absent"),
        Column("rmse_f_comp_train", "float64", "eV/Å", "error of the force components of the training set; NaN when absent"),
        Column("rmse_epa_test", "float64", "eV/atom", "energy error of the test set; NaN when absent"),
        Column("rmse_f_comp_test", "float64", "eV/Å", "error of the force components of the test set; NaN when absent"),
    ),
)

RUNS = Contract(
    "runs",
    1,
    (
        Column("run", "string", "1", "name of the run"),
        Column("changes", "string", "1", "keys of the configuration that differ from the common file, and their values (JSON)"),
        Column("n_functions", "int64", "1", "number of functions of the potential"),
        Column("microseconds_per_atom", "float64", "µs", "measured processor time of an evaluation on one thread, per atom"),
        Column("neighbors_per_atom", "float64", "1", "neighbours of an atom in the sample that was evaluated"),
        *(
            Column(f"{name}_{subset}", "float64", unit, f"{measure} of the {word} set; NaN when absent")
            for subset, word in (("train", "training"), ("test", "test"))
            for name, unit, measure in (
                ("rmse_epa", "meV/atom", "root mean square error of the energies"),
                ("rmse_f_comp", "eV/Å", "root mean square error of the force components"),
            )
        ),
        Column("subset", "string", "1", "errors that decide what is Pareto-optimal: test, or train where a run has no test set"),
        *(
            Column(f"optimal_{error}_{cost}", "bool", "1", f"Pareto-optimal in {error} error and {what}")
            for error in ("energy", "force")
            for cost, what in (("time", "time"), ("functions", "number of functions"))
        ),
    ),
)

CONTRACTS: dict[str, Contract] = {
    c.name: c
    for c in (
        STRUCTURES,
        ATOMS,
        NEIGHBORLIST,
        SPLIT,
        WEIGHTS,
        WEIGHTS_ATOMS,
        EXPLORATION,
        FUNCTIONS,
        METRICS,
        CYCLES,
        PREDICTED_STRUCTURES,
        PREDICTED_ATOMS,
        RUNS,
    )
}
