"""Damage each artifact of a finished run: the next run names it, sets it aside and makes it anew; the end is the same."""

import io
import os
import re

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from acefit.artifacts import read_table
from acefit.errors import DamagedArtifactError
from acefit.files import read_sealed
from fault_runs import POTENTIAL, TALLY, check_intact, copy_run
from workflow_runs import run

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

CONTRACTS = {
    "shared/dataset-*/structures.parquet": "structures",
    "shared/dataset-*/atoms.parquet": "atoms",
    "shared/dataset-*/neighborlists-4.0/shard-000-of-002.parquet": "neighborlist",
    "shared/dataset-*/split-*/split.parquet": "split",
    "shared/dataset-*/weights-*/structures.parquet": "weights",
    "shared/dataset-*/weights-*/atoms.parquet": "weights_atoms",
    "tiny/basis/functions.parquet": "functions",
    "tiny/fit/step-00/cycle-00/metrics.parquet": "metrics",
    "tiny/select/step-00/cycles.parquet": "cycles",
    "tiny/predict/structures.parquet": "predicted_structures",
    "tiny/predict/atoms.parquet": "predicted_atoms",
}
TEXTS = (
    "shared/dataset-*/references.yaml",
    "shared/dataset-*/weights-*/summary.yaml",
    "tiny/basis/target.yaml",
    "tiny/basis/ladder.yaml",
    "tiny/basis/start.yaml",
    "tiny/basis/steps/step-01.yaml",
    "tiny/fit/step-00/cycle-00/potential.yaml",
    "tiny/fit/step-01/cycle-01/result.yaml",
    "tiny/select/step-00/potential.yaml",
    "tiny/potential.yaml",
)
# For people; no stage reads them
UNREAD = {"tiny/basis/functions.parquet", "tiny/basis/target.yaml"}
READ = [name for name in (*CONTRACTS, *TEXTS) if name not in UNREAD]
# Made anew by the run that finds them
CHECKED_AT_START = {"tiny/potential.yaml", "tiny/basis/ladder.yaml", "tiny/basis/start.yaml", "tiny/basis/steps/step-01.yaml"}


def flip(content):
    """Flip a bit in the middle."""
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


def edit(content):
    """Change a number, as an editor or a script might that keeps everything else."""
    if not content.startswith(b"PAR1"):
        return re.sub(rb"[0-8]", b"9", content, count=1)
    table, target = pq.read_table(io.BytesIO(content)), io.BytesIO()
    column = next(k for k, field in enumerate(table.schema) if field.type in (pa.int64(), pa.int32(), pa.float64()))
    changed = pa.array([7, *table.column(column).to_pylist()[1:]], table.schema.field(column).type)
    pq.write_table(table.set_column(column, table.schema.field(column), changed), target)
    return target.getvalue()


DAMAGES = {
    "truncated": lambda content: content[: 2 * len(content) // 3],
    "flipped": flip,
    "edited": edit,
    "foreign": lambda content: b"PAR1 species: []\n# of another program\nPAR1",
    "empty": lambda content: b"",
}


def damage(path, kind, keep_date=False):
    """Damage a file; its date becomes that of now unless it is to stay."""
    before = path.stat()
    content = DAMAGES[kind](path.read_bytes())
    assert content != path.read_bytes()
    path.write_bytes(content)
    if keep_date:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def find(folder, name):
    (path,) = (folder / "results").glob(name)
    return path


def check_redone(folder, config, path, finished, kind):
    """Run until all is done, at most twice; the damaged file is named and kept, the results are those of the finished run."""
    answers = [run(folder, config)]
    if answers[0].code != 0:
        answers.append(run(folder, config))
    text = "".join(answer.text for answer in answers)
    assert answers[-1].code == 0, text
    name = str(path.relative_to(folder))
    assert re.search(rf"{re.escape(name)} .*; set aside as \S+\.damaged; ", text), text
    aside = path.parent if path.parent.name == "steps" else path
    assert aside.with_name(aside.name + ".damaged").exists()
    assert (folder / POTENTIAL).read_bytes() == (finished / POTENTIAL).read_bytes()
    TALLY[f"damaged artifact: {kind}"][0] += 1
    TALLY[f"damaged artifact: {kind}"][1] += 1
    return len(answers)


@pytest.mark.parametrize("kind", DAMAGES)
@pytest.mark.parametrize("name", [*CONTRACTS, *TEXTS])
def test_reader__recognises_and_names_every_damaged_artifact(finished, tmp_path, name, kind):
    source = find(finished, name)
    path = tmp_path / source.name
    path.write_bytes(source.read_bytes())
    damage(path, kind)
    with pytest.raises(DamagedArtifactError, match=re.escape(str(path))):
        read_table(path, CONTRACTS[name]) if name in CONTRACTS else read_sealed(path)


def test_damaged_step_of_the_ladder__is_redone_by_the_same_run_whatever_its_date(finished, tmp_path):
    folder = tmp_path / "run"
    config, path = copy_run(finished, folder), find(folder, "tiny/basis/steps/step-01.yaml")
    damage(path, "flipped", keep_date=True)
    assert check_redone(folder, config, path, finished, "flipped") == 1


@pytest.mark.faults
@pytest.mark.parametrize("name", READ)
def test_every_damaged_artifact__is_redone(finished, tmp_path, name):
    folder = tmp_path / "run"
    config, path = copy_run(finished, folder), find(folder, name)
    kind = list(DAMAGES)[READ.index(name) % len(DAMAGES)]
    damage(path, kind)
    n_runs = check_redone(folder, config, path, finished, kind)
    assert n_runs == (1 if name in CHECKED_AT_START else 2)
    check_intact(folder, finished)
