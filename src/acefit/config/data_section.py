"""The `data` section: which structures are fitted, which are kept for testing, and how files are read."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from acefit.config.fields import Count, Name, Names, NonNegative, Number, Positive, Section, key


class DataSection(Section):
    """Datasets; a plain file name is the same as `{filename: ...}`."""

    filename: Name | Names = key(..., "Dataset or list of datasets: .xyz, .extxyz (also .gz), .db, .parquet, .pckl.gzip")
    test_filename: Name | Names | None = key(None, "Dataset or list of datasets for testing only")
    test_size: Positive | None = key(None, "Share (below 1) or number (from 1) of structures set aside for testing")
    stratify: bool = key(
        False, "Take the same share of every group for testing; false: draw from all structures alike", ours=True
    )
    reference_energy: Annotated[Number | Name | dict[str, Number] | None, Field(union_mode="left_to_right")] = key(
        None,
        "Energies per atom subtracted from the total energies: a map by element (and `shift`, added per atom), one number for "
        "all elements, `auto` (least squares, then the most dilute structure becomes zero), `isolated` (the single atoms in the "
        "data) or a CSV file with the columns element and energy; absent: the files have corrected energies",
        unit="eV/atom",
    )
    ignore_weights: bool = key(False, "Apply the weighting policy even if the dataset brings weights")
    aug_factor: NonNegative = key(1e-4, "Factor on the weights of structures whose name starts with `augmented`")
    datapath: Name | None = key(None, "Folder of the datasets; default: the environment variable PACEMAKERDATAPATH")
    seed: Any = key(None, "Random seed", ignored="the split is drawn with the top-level seed")
    energy_key: Name | None = key(None, "Name of the total energy in the files; default: found among the usual ones", ours=True)
    forces_key: Name | None = key(None, "Name of the forces in the files; default: found among the usual ones", ours=True)
    stress_key: Name | None = key(None, "Name of the stress in the files; default: found among the usual ones", ours=True)
    group_key: Name = key("config_type", "Name of the entry that groups structures in splits and reports", ours=True)
    on_bad_structure: Literal["stop", "leave_out"] = key(
        "stop", "What a malformed structure does: stop the run, or be left out and listed in the report", ours=True
    )
    minimum_distance: NonNegative = key(
        0.3, "A structure with two atoms closer than this counts as malformed", unit="Angstrom", ours=True
    )
    shards: Count = key(1, "Number of parts of the neighbour lists, computed as separate jobs", ours=True)


def _file_name_form(value: Any) -> Any:
    return {"filename": value} if isinstance(value, str | list) else value


DataInput = Annotated[DataSection, BeforeValidator(_file_name_form, json_schema_input_type=DataSection | Name | Names)]
