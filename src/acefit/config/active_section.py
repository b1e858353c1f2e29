"""The section `active`: rounds of exploration, labelling and refitting."""

from typing import Annotated, Any, Literal

from pydantic import Field

from acefit.config.fields import Count, Name, Names, Number, Positive, Section, key


class ExploreSection(Section):
    """Molecular dynamics with the potential of the round, one walk for each temperature, pressure and repetition."""

    structures: Name | Names = key(
        ..., "Files of structures that every walk starts from, of any kind that `data` takes", ours=True
    )
    temperatures: Annotated[list[Positive], Field(min_length=1)] = key(..., "Temperatures of the walks", unit="K", ours=True)
    pressures: Annotated[list[Number], Field(min_length=1)] | None = key(
        None, "Pressures of the walks (Berendsen barostat); without it cells keep their shape", unit="GPa", ours=True
    )
    repetitions: Count = key(1, "Walks of each temperature and pressure, with other velocities", ours=True)
    steps: Count = key(2000, "Time steps from each structure", ours=True)
    timestep: Positive = key(1.0, "Time step", unit="fs", ours=True)
    interval: Count = key(10, "Steps between two looks at gamma", ours=True)
    collect_above: Positive = key(1.5, "Structures whose largest gamma is above it are candidates", ours=True)
    stop_above: Positive = key(10.0, "A walk ends where gamma is above it", ours=True)


class LabelSection(Section):
    """The calculator that gives energies, forces and stresses of the chosen structures."""

    calculator: Annotated[str, Field(pattern=r"^[A-Za-z_][\w.]*\.[A-Za-z_]\w*$")] = key(
        ...,
        "An ASE calculator, or a function that makes one, as `module.name`; modules beside the configuration are found",
        ours=True,
    )
    parameters: dict[str, Any] = key({}, "Keyword arguments it is called with", ours=True)
    jobs: Count = key(1, "Jobs that calculate side by side; as many as `most` give each structure a job of its own", ours=True)
    on_failure: Literal["stop", "leave_out"] = key(
        "stop", "Whether a calculation that fails ends the round, or its structure is left out with a warning", ours=True
    )


class ActiveSection(Section):
    """Active learning: the potential explores, what it does not know is labelled, and the fit goes on with it."""

    rounds: Count = key(..., "How often structures are collected and labelled; there is one fit more", ours=True)
    full: bool = key(False, "Active sets of derivatives by all coefficients instead of projections", ours=True)
    most: Count = key(20, "Largest number of structures that are labelled in a round", ours=True)
    reject_above: Positive = key(1000.0, "Candidates with a larger gamma are not labelled: atoms have flown apart", ours=True)
    explore: ExploreSection = key(..., "How the potential explores", ours=True)
    label: LabelSection = key(..., "How structures are labelled", ours=True)
