"""The `potential` section in its three forms: a constructed basis, a potential file, the old single-element form.

Relations between keys are checked in `relations`, which sees the entries after the keywords are merged.
"""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Discriminator, Field, Tag

from acefit.config.fields import Count, Name, Names, NonNegative, Number, Positive, Section, Whole, key

RadialBasis = Literal["ChebExpCos", "ChebPow", "ChebLinear", "SBessel", "TEST_SBessel"]
EmbeddingName = Literal["FinnisSinclair", "FinnisSinclairShiftedScaled"]
InnerCutoff = Literal["distance", "density", "zbl"]
Numbers = Annotated[list[Number], Field(min_length=1)]
Pair = Annotated[list[Number], Field(min_length=2, max_length=2)]
RadialSizes = Annotated[list[Whole], Field(min_length=1)]

DELTA_SPLINE_BINS = "Bin of the radial tables; written to the potential and used by `backend: {tables: true}`"
NRADMAX = (
    "Numbers of radial functions for order 1, 2, ...: the first entry counts base functions g_k, "
    "the others are the largest n of the functions of that order"
)
LMAX = "Largest angular momentum of the functions of order 1, 2, ...; the entry for order 1 has no effect"
INITIAL_POTENTIAL = "File or list of files to start from; the fit adds the functions of this section to theirs"


class EmbeddingSettings(Section):
    """How the densities of one element become its energy; entries are merged key by key, ALL < UNARY < element."""

    npot: EmbeddingName | None = key(
        None, "Embedding function: powers with a linear core of width 1e-6, or smooth at zero density (ShiftedScaled)"
    )
    fs_parameters: Numbers | None = key(
        None, "Weight and exponent of each density: [w1, m1, w2, m2, ...]; two numbers per density"
    )
    ndensity: Count | None = key(None, "Number of densities")
    rho_core_cut: Number = key(100000.0, "Core energy at which the embedding is switched off", unit="eV")
    drho_core_cut: Positive = key(250.0, "Width of that switch", unit="eV")


class BondSettings(Section):
    """Radial functions and core repulsion of a pair of elements; ALL < UNARY, BINARY < pair, merged key by key."""

    radbase: RadialBasis = key("ChebExpCos", "Radial base functions")
    radparameters: Numbers | None = key(
        None, "Parameters of the base functions; the first is the exponent lambda (SBessel and ChebLinear do not use it)"
    )
    rcut: Positive | None = key(None, "Outer cutoff", unit="Angstrom")
    dcut: NonNegative = key(0.0, "Width of the window below the cutoff (ChebExpCos, zbl)", unit="Angstrom")
    NameOfCutoffFunction: Literal["cos", "poly"] | Literal[""] = key("cos", "Written to the potential file; has no effect")
    core_repulsion: Pair = key(
        [0.0, 0.0],
        "Prefactor and exponent (1/Angstrom^2) of the pair repulsion; with zbl: factor of the ZBL potential, and unused",
        alias="core-repulsion",
    )
    r_in: NonNegative = key(0.0, "Inner cutoff: below it the core repulsion takes over", unit="Angstrom")
    delta_in: NonNegative = key(0.0, "Width of the transition below r_in", unit="Angstrom")
    inner_cutoff_type: InnerCutoff = key(
        "distance", "What switches between ACE and core repulsion: pair distance, core density, or the nearest neighbour (zbl)"
    )
    nradbase: Whole | None = key(None, "At least this many base functions g_k (default: what the functions need)")
    nradmax: Whole | None = key(None, "At least this many radial functions R_nl (default: what the functions need)")
    lmax: Whole | None = key(None, "At least this angular momentum (default: what the functions need)")


class FunctionShape(Section):
    """Which functions a block gets."""

    nradmax_by_orders: RadialSizes | None = key(None, NRADMAX)
    lmax_by_orders: RadialSizes | None = key(None, LMAX)
    coefs_init: Literal["zero", "random"] = key(
        "zero", "Initial function coefficients: zero, or normal random numbers of width 1e-4 drawn with `seed`"
    )


class Functions(Section):
    """Shapes by keyword (ALL < UNARY ... QUINARY) or block (`AlNi`: centre Al, neighbours with Ni)."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, FunctionShape]

    number_of_functions_per_element: Count | None = key(
        None, "Keep about this many functions per element, those of lowest order + sum(n) + sum(l) in every block"
    )

    number_of_functions_mode: Literal["block", "element"] = key(
        "block", "That number is divided among the blocks (as in pacemaker), or met exactly for each central element", ours=True
    )

    @property
    def shapes(self) -> dict[str, FunctionShape]:
        """Entries by keyword or block, in file order."""
        return dict(self.__pydantic_extra__ or {})


class StartingPoint(Section):
    """Keys that make a fit start from existing potentials."""

    initial_potential: Name | Names | None = key(None, INITIAL_POTENTIAL)
    overwrite_blocks_from_initial_bbasis: bool = key(
        False, "Blocks of the initial potential replace constructed blocks of the same name"
    )


class PotentialDefinition(StartingPoint):
    """A basis constructed from keywords."""

    deltaSplineBins: Positive = key(0.001, DELTA_SPLINE_BINS, unit="Angstrom")
    elements: Names = key(..., "Chemical symbols; the potential orders them alphabetically")
    embeddings: dict[str, EmbeddingSettings] = key({}, "Embedding by keyword (ALL, UNARY) or element")
    bonds: dict[str, BondSettings] = key({}, "Settings by keyword (ALL, UNARY, BINARY), element or pair (`AlNi` is also `NiAl`)")
    functions: Functions = key(Functions.model_validate({}), "Functions by keyword or block")


class PotentialFile(StartingPoint):
    """A potential read from a file; a plain file name is the same as `{filename: ...}`."""

    filename: Name = key(..., "Potential file (B-basis `.yaml` or C-tilde `.yace`)")
    reset: bool = key(False, "Keep the shape only: function coefficients 0, radial functions equal to the base functions")
    deltaSplineBins: Positive | None = key(None, f"{DELTA_SPLINE_BINS} (default: that of the file)", unit="Angstrom")


class SingleElementPotential(StartingPoint):
    """The old form for one element, converted to `embeddings`, `bonds` and `functions` of that element."""

    element: Name = key(..., "Chemical symbol")
    deltaSplineBins: Positive = key(0.001, DELTA_SPLINE_BINS, unit="Angstrom")
    npot: EmbeddingName = key(..., "Embedding function")
    fs_parameters: Numbers = key(..., "Weight and exponent of each density: [w1, m1, w2, m2, ...]")
    ndensity: Count = key(..., "Number of densities")
    rho_core_cut: Number = key(100000.0, "Core energy at which the embedding is switched off", unit="eV")
    drho_core_cut: Positive = key(250.0, "Width of that switch", unit="eV")
    nradmax_by_orders: RadialSizes | None = key(None, NRADMAX)
    nradmax: RadialSizes | None = key(None, "Old name of nradmax_by_orders")
    lmax_by_orders: RadialSizes | None = key(None, LMAX)
    lmax: RadialSizes | None = key(None, "Old name of lmax_by_orders")
    rcut: Positive = key(..., "Outer cutoff", unit="Angstrom")
    dcut: NonNegative = key(0.0, "Width of the window below the cutoff", unit="Angstrom")
    radbase: RadialBasis = key("ChebExpCos", "Radial base functions")
    radparameters: Numbers = key(..., "Parameters of the base functions")
    NameOfCutoffFunction: Literal["cos", "poly"] | Literal[""] = key("cos", "Written to the potential file; has no effect")
    core_repulsion: Pair = key([0.0, 0.0], "Prefactor and exponent of the pair repulsion", alias="core-repulsion")
    r_in: NonNegative = key(0.0, "Inner cutoff (pacemaker ignores it in this form)", unit="Angstrom")
    delta_in: NonNegative = key(0.0, "Width of the transition below r_in (pacemaker ignores it in this form)", unit="Angstrom")
    inner_cutoff_type: InnerCutoff = key("distance", "Kind of the transition (pacemaker ignores it in this form)")
    func_coefs_init: Literal["zero", "random"] = key("zero", "Initial function coefficients")

    def definition(self) -> PotentialDefinition:
        """Return the same basis in the keyword form."""
        given = self.model_dump(by_alias=True, exclude_unset=True)
        renamed = {"nradmax": "nradmax_by_orders", "lmax": "lmax_by_orders", "func_coefs_init": "coefs_init"}
        # The new names win where a file has both
        given = {renamed[k]: v for k, v in given.items() if k in renamed} | {k: v for k, v in given.items() if k not in renamed}

        def entry(model: type[Section]) -> dict[str, dict[str, Any]]:
            keys = {field.alias or name for name, field in model.model_fields.items()}
            return {self.element: {k: v for k, v in given.items() if k in keys}}

        common = {k: given[k] for k in (*StartingPoint.model_fields, "deltaSplineBins") if k in given}
        parts = {"embeddings": entry(EmbeddingSettings), "bonds": entry(BondSettings), "functions": entry(FunctionShape)}
        return PotentialDefinition.model_validate({**common, "elements": [self.element], **parts})


def _file_name_form(value: Any) -> Any:
    return {"filename": value} if isinstance(value, str) else value


def potential_form(value: Any) -> str:
    """Tell which form of the section a map is; the tag of the model that validates it."""
    if isinstance(value, Section):
        return type(value).__name__
    keys = value if isinstance(value, dict) else {}
    if "filename" in keys:
        return "PotentialFile"
    return "SingleElementPotential" if "element" in keys else "PotentialDefinition"


PotentialSection = Annotated[
    Annotated[PotentialDefinition, Tag("PotentialDefinition")]
    | Annotated[PotentialFile, Tag("PotentialFile")]
    | Annotated[SingleElementPotential, Tag("SingleElementPotential")],
    Discriminator(potential_form),
    BeforeValidator(_file_name_form, json_schema_input_type=PotentialDefinition | PotentialFile | SingleElementPotential | Name),
]
