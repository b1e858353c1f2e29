import re
from pathlib import Path

import pytest

from acefit.artifacts import read_frame
from acefit.files import read_yaml
from acefit.pipeline import stepwise
from acefit.pipeline.stepwise import read_finished

SCRIPTS = Path(__file__).parents[3] / "workflow" / "scripts"
STEPS = ("dataset", "split", "weights", "basis", "neighborlists", "fit", "select", "potential", "predict")


def test_run_stages__says_what_it_does(tiny_fit):
    assert tiny_fit.said[:4] == ["reading the data", "weights", "basis", "neighbour lists"]
    assert "ladder step 1, cycle 1" in tiny_fit.said


def test_run_stages__files_are_where_the_pipeline_has_them(tiny_fit):
    folder = tiny_fit.folder / "results/tiny"
    for name in ("potential.yaml", "predict/structures.parquet", "predict/cost.yaml", "select/step-01/cycles.parquet"):
        assert (folder / name).is_file()
    losses = [read_yaml(folder / f"fit/step-01/cycle-{cycle:02d}/result.yaml")["loss"] for cycle in (0, 1)]
    assert min(losses) == tiny_fit.result.loss


def test_read_finished__has_all_cycles(tiny_fit):
    data = read_finished(tiny_fit.run)
    assert data.name == "tiny"
    assert set(zip(data.cycles["ladder_step"], data.cycles["cycle_step"], strict=True)) == {(0, 0), (0, 1), (1, 0), (1, 1)}
    table = read_frame(tiny_fit.folder / "results/tiny/predict/structures.parquet", "predicted_structures")
    assert len(table) == len(data.predictions.structures)


@pytest.mark.parametrize("step", STEPS)
def test_steps__get_the_keywords_that_their_scripts_give(step):
    """A keyword that a script learns must come here, too."""
    ours = Path(stepwise.__file__).read_text(encoding="utf-8")
    theirs = (SCRIPTS / f"{step}.py").read_text(encoding="utf-8")
    call = ours[ours.index(f"    {step}(") :].partition("\n\n\n")[0]
    names = set(re.findall(r"^ +(\w+)=", theirs, re.MULTILINE))
    assert {name for name in names if not re.search(rf"\b{name}=", call)} == set()
