from dataclasses import replace

import numpy as np

from acefit.active.active_set import read_active_set
from acefit.active.grade import grade_structures
from acefit.files import read_yaml
from acefit.steps.activeset import activeset
from round_files import write_round, write_structures, write_training


def test_activeset__writes_the_set_of_the_dataset_and_a_summary(tmp_path):
    files, potential, structures = write_round(tmp_path)
    for full, kind in ((False, "linear"), (True, "full")):
        activeset(**files, path_to_active_set=tmp_path / "x.asi", path_to_summary=tmp_path / "summary.yaml", full=full, code="c")
        found = read_active_set(tmp_path / "x.asi", potential)
        assert found.kind == kind
        assert grade_structures(potential, found, structures).max() <= 1.011
        summary = read_yaml(tmp_path / "summary.yaml")
        assert summary["kind"] == kind
        assert [entry["element"] for entry in summary["elements"]] == ["Al", "Cu"]
        assert np.isfinite(summary["elements"][0]["condition"])


def test_activeset__is_of_what_the_fit_saw(tmp_path):
    """Neither test structures nor what is left out nor synthetic structures vouch for anything."""
    _, _, structures = write_round(tmp_path)
    n = structures.n_structures
    names = ["augmented/zbl/Al" if k == 2 else name for k, name in enumerate(structures.names)]
    structures = replace(structures, names=type(structures.names)(names))
    paths = write_structures(tmp_path, "", structures)
    weights = write_training(tmp_path, paths, structures, ["test", "excluded"] + ["train"] * (n - 2))
    files = {"path_to_potential": tmp_path / "potential.yaml", **paths, "path_to_weights": weights}
    activeset(**files, path_to_active_set=tmp_path / "x.asi", path_to_summary=tmp_path / "summary.yaml", code="c")
    environments = sum(entry["environments"] for entry in read_yaml(tmp_path / "summary.yaml")["elements"])
    assert environments == structures.atoms_per_structure[3:].sum()
