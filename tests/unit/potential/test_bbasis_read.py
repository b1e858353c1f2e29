import os
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from acefit.errors import PotentialError
from acefit.potential.bbasis_read import import_potential, parse_potential, read_potential
from acefit.potential.bbasis_write import write_potential
from bases import TWO_ELEMENTS
from conftest import shared_path

TEXT = TWO_ELEMENTS.read_text()


def changed(old, new, count=1):
    assert old in TEXT
    return TEXT.replace(old, new, count)


def test_read_potential__gives_everything_in_the_file():
    potential = read_potential(TWO_ELEMENTS)
    assert potential.elements == ("Cu", "O")
    assert [block.elements for block in potential.blocks] == [("Cu",), ("O",), ("Cu", "O"), ("O", "Cu")]
    assert potential.delta_spline_bins == 0.002
    assert potential.metadata == {"note": "invented, two elements", "_loss": "0.10", "starttime": "2020-01-02 03:04:05.678"}
    assert potential.embeddings["Cu"].parameters == (1.0, 1.0, 0.7, 0.5)
    assert potential.embeddings["O"].rho_core_cut == 7.0
    bond = potential.bonds["Cu", "O"]
    assert (bond.n_max, bond.l_max, bond.k_max) == (2, 1, 2)
    assert (bond.rcut, bond.dcut, bond.rcut_in, bond.dcut_in) == (4.75, 0.5, 1.75, 0.2)
    assert bond.crad[0, 1, 1] == -0.6
    function = potential.blocks[2].functions[1]
    assert function == (("Cu", "O", "Cu"), (1, 1), (1, 1), (), (0.12, 0.05), False)
    assert potential.blocks[1].functions[0].coeffs == (0.35,)
    assert [f.skip for f in potential.blocks[1].functions] == [False, True]
    assert potential.n_functions == 11


@pytest.mark.parametrize(
    "name",
    [
        "Cu-III",
        "Cu.pbe.in",
        "DFT10B-AgCu_asi",
        "fit_CuI_asi",
        "loss_CuI",
        "multispecies_AlNi_asi",
        "syn_AlNi_zbl",
        "syn_Cu_SBessel_distance",
    ],
)
def test_read_potential__loads_files_of_the_reference(name):
    path = shared_path("golden", f"{name}.yaml")
    assert read_potential(path).n_functions == len(re.findall(r"(?:- |^ *)\{ *type:", path.read_text(), re.MULTILINE))


def test_parse_potential__applies_the_defaults_of_old_files():
    keys = "rho_core_cut|drho_core_cut|r_in|delta_in|inner_cutoff_type|core-repulsion|NameOfCutoffFunctionij"
    old = parse_potential(re.sub(rf"    (?:{keys}): .*\n", "", TEXT))
    bond = old.bonds["Cu", "Cu"]
    assert (bond.inner_cutoff_type, bond.rcut_in, bond.dcut_in) == ("density", 0.0, 0.0)
    assert (bond.core_repulsion, bond.cutoff_function) == ((0.0, 0.0), "cos")
    assert (old.embeddings["Cu"].rho_core_cut, old.embeddings["Cu"].drho_core_cut) == (100000.0, 250.0)


def test_parse_potential__reads_flat_radial_coefficients():
    crad = parse_potential(TEXT).bonds["Cu", "O"].crad
    flat = [float(crad[n, l, k]) for k in range(2) for n in range(2) for l in range(2)]
    text = changed("[[[1, 0.4], [0.2, -0.6]], [[0, 1], [0.1, 0.3]]]", str(flat))
    np.testing.assert_array_equal(parse_potential(text).bonds["Cu", "O"].crad, crad)


def test_parse_potential__cuts_larger_radial_coefficients():
    larger = changed("[[[1, -0.3], [0.5, 0.25]]]", "[[[1, -0.3, 9], [0.5, 0.25, 9], [9]], [[9]]]")
    np.testing.assert_array_equal(parse_potential(larger).bonds["O", "O"].crad, [[[1, -0.3], [0.5, 0.25]]])


def test_parse_potential__takes_the_bond_from_either_mirror_block():
    moved = TEXT.replace("speciesblock: O Cu", "speciesblock: X").replace("speciesblock: Cu O", "speciesblock: O Cu")
    moved = moved.replace("speciesblock: X", "speciesblock: Cu O")
    # Exchange the functions of both blocks, which now stand under the other name
    head, first, second = moved.split("    nbody:\n")[0:3], moved.split("    nbody:\n")[3], moved.split("    nbody:\n")[4]
    definition, functions = first.split("  - speciesblock: Cu O\n")
    text = "    nbody:\n".join([*head, second + "  - speciesblock: Cu O\n" + functions, definition])
    np.testing.assert_array_equal(parse_potential(text).bonds["Cu", "O"].crad, parse_potential(TEXT).bonds["Cu", "O"].crad)


def test_parse_potential__takes_the_core_from_the_mirror_block():
    text = changed("    core-repulsion: [125, 1.5]\n", "").replace(
        "    r_in: 1.75\n    delta_in: 0.2\n    inner_cutoff_type: distance\n", ""
    )
    core = "    core-repulsion: [125, 1.5]\n    r_in: 1.75\n    delta_in: 0.2\n    inner_cutoff_type: distance\n"
    bond = parse_potential(text.replace("speciesblock: O Cu\n", f"speciesblock: O Cu\n{core}")).bonds["Cu", "O"]
    assert (bond.core_repulsion, bond.rcut_in, bond.inner_cutoff_type) == ((125.0, 1.5), 1.75, "distance")


def test_parse_potential__accepts_blocks_in_any_order():
    head, *blocks = TEXT.split("  - speciesblock: ")
    turned = "  - speciesblock: ".join([head, *blocks[::-1]])
    assert {b.elements for b in parse_potential(turned).blocks} == {b.elements for b in parse_potential(TEXT).blocks}


def test_parse_potential__accepts_a_doubled_symbol_for_one_element():
    assert parse_potential(changed("speciesblock: Cu\n", "speciesblock: Cu Cu\n")).blocks[0].elements == ("Cu",)


def test_parse_potential__limits_a_slot_by_the_bond_it_uses():
    # n = 2 of the Cu slot is within Cu-Cu, though block O Cu's functions may only reach n = 1 of their own bond
    shrunk = changed("    nradmaxi: 2\n    lmaxi: 1\n    rcutij: 4.75", "    nradmaxi: 1\n    lmaxi: 1\n    rcutij: 4.75")
    functions = {f.ns for f in parse_potential(shrunk).blocks[2].functions}
    assert (2, 1, 1) in functions


def test_parse_potential__reads_nobelium():
    text = TEXT.replace("Cu", "No")
    assert parse_potential(text).elements == ("No", "O")


def test_parse_potential__reads_typed_user_data():
    aux = "auxdata:\n  _int: {a: 1}\n  _double_arr: {b: [1, 2.5]}\n  _string: {c: 1.0}\n"
    assert parse_potential(aux + TEXT).auxdata == {"_int": {"a": 1}, "_double_arr": {"b": [1.0, 2.5]}, "_string": {"c": "1.0"}}


def test_parse_potential__reads_functions_the_same_way_however_they_are_written():
    spread = TEXT.replace("nr: [", "nr: [ ").replace(", nl", ",\n          nl")
    assert parse_potential(spread).blocks == parse_potential(TEXT).blocks


def test_parse_potential__leaves_a_text_alone_that_looks_like_a_function():
    line = "      - {type: Cu Cu, nr: [1], nl: [0], c: [0.4, 0.1]}"
    potential = parse_potential(changed("  note: invented, two elements\n", f"  note: |\n{line}\n"))
    assert potential.metadata["note"] == line.strip() + "\n"
    assert potential.n_functions == 11
    with pytest.raises(PotentialError, match="species: expected a list"):
        parse_potential(f"global: {{DeltaSplineBins: 1}}\nspecies: |\n{line}\n")


def test_parse_potential__reports_what_has_no_effect(caplog):
    parse_potential(changed("    ndensityi: 2\n", "    ndensityi: 2\n    colour: red\n"))
    assert "block `Cu`: keys without a meaning are not used: colour" in caplog.text
    parse_potential(changed("nl: [1, 1, 1, 1], lint: [0, 0]", "nl: [1, 1, 1, 1], lint: [3, 3]"))
    assert "lint [3, 3] violates a triangle rule" in caplog.text


CU = "nr: [1, 1, 1, 2], nl: [1, 1, 1, 1], lint: [0, 0], c: [0.02, 0.01]"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("species:", "kinds:", "not a B-basis potential"),
        ("DeltaSplineBins: 0.002", "DeltaSplineBins: 0", "DeltaSplineBins must be positive, got 0"),
        ("DeltaSplineBins: 0.002", "Bins: 0.002", "DeltaSplineBins: expected a number, got None"),
        ("speciesblock: O\n", "speciesblock: Cu\n", "block `Cu`: this block occurs twice"),
        ("speciesblock: O\n", "speciesblock:\n", "entry 2 of species has no speciesblock"),
        ("speciesblock: O\n", "speciesblock: 0\n", "'0' is not an element symbol"),
        ("speciesblock: O\n", "speciesblock: O Cu Ni\n", "element Ni has no block `Ni`|element O has no block `O`"),
        ("    ndensityi: 2\n", "", "block `Cu`: the key ndensityi is missing"),
        ("parameters: [1, 1, 0.7, 0.5]", "parameters: [1, 1]", "2 densities need 4 parameters .* got 2"),
        ("npoti: FinnisSinclair\n", "npoti: Finnis\n", "unknown embedding 'Finnis'"),
        ("radbase: ChebPow", "radbase: Bessel", "unknown radial basis 'Bessel'"),
        ("radparameters: [2]", "radparameters: []", "radparameters must have at least one number"),
        ("    rcutij: 4.25\n", "", "block `O`: the key rcutij is missing"),
        ("rcutij: 4.25", "rcutij: -1", "the outer cutoff must be positive"),
        ("dcutij: 0.5", "dcutij: -0.5", "dcut, r_in and delta_in must not be negative"),
        ("nradmaxi: 1\n", "nradmaxi: -1\n", "nradmaxi must lie between 0 and 1000, got -1"),
        ("nradmaxi: 1\n", "nradmaxi: 100000000\n", "nradmaxi must lie between 0 and 1000"),
        ("nradmaxi: 1\n", "nradmaxi: 2\n", "nradmaxi = 2 radial functions, but only 1 are listed"),
        ("[[[1, -0.3], [0.5, 0.25]]]", "[[[1, -0.3]]]", "lmaxi = 1 needs 2 lists for n = 1, got 1"),
        ("[[[1, -0.3], [0.5, 0.25]]]", "[[[1], [0.5, 0.25]]]", "nradbaseij = 2, but n = 1, l = 0 has only 1 numbers"),
        (
            "[[[1, -0.3], [0.5, 0.25]]]",
            "[1, 2, 3]",
            r"a flat list must have nradbaseij \* nradmaxi \* \(lmaxi \+ 1\) numbers, got 3",
        ),
        ("[[[1, -0.3], [0.5, 0.25]]]", "[[[1, .nan], [0.5, 0.25]]]", "radcoefficients: expected a (finite )?number, got '.nan'"),
        (
            "    lmaxi: 1\n    rcutij: 4.75\n",
            "    rcutij: 4.75\n",
            "only partially defined: nradmaxi is given but lmaxi is missing",
        ),
        (
            "inner_cutoff_type: distance\n    nradbaseij: 3",
            "inner_cutoff_type: hard\n    nradbaseij: 3",
            "unknown inner_cutoff_type",
        ),
        (
            "inner_cutoff_type: distance\n    nradbaseij: 3",
            "inner_cutoff_type: zbl\n    nradbaseij: 3",
            "must be the same for all bonds",
        ),
        ("core-repulsion: [140, 1.75]", "core-repulsion: [140]", r"core-repulsion must be \[prefactor, lambda\], got 1"),
        ("    nbody:\n", "    bodies:\n", "the list nbody is missing; write `nbody: \\[\\]`"),
        ("    nbody:\n", "    density:\n", "`density` list are too old"),
        ("type: Cu Cu, ", "", "block `Cu`, function 1: the key type is missing"),
        ("type: Cu Cu, ", "type: Cu Cu, colour: red, ", "unknown key 'colour'"),
        ("type: Cu Cu, ", "type: O Cu, ", "type 'O Cu' must begin with the central element Cu"),
        ("type: Cu Cu, ", "type: Cu O, ", "O does not belong to the block `Cu`"),
        ("c: [0.4, 0.1]", "c: [0.4]", "element Cu has 2 densities, but c has 1 numbers"),
        ("nl: [0], c: [0.4, 0.1]", "nl: [1], c: [0.4, 0.1]", r"a function of order 1 has nl \[0\]"),
        (
            "nr: [2, 1], nl: [1, 1]",
            "nr: [2], nl: [1, 1]",
            "type names 2 neighbours, so nr and nl need as many numbers, got 1 and 2",
        ),
        ("nr: [2, 1], nl: [1, 1]", "nr: [2, 1], nl: [1, 2]", "does not reach total momentum 0"),
        ("nr: [2, 1], nl: [1, 1]", "nr: [0, 1], nl: [1, 1]", "nr starts at 1, nl and lint at 0"),
        ("nr: [2, 1], nl: [1, 1]", "nr: [3, 1], nl: [1, 1]", "nr 3, nl 1 exceed nradmaxi = 2, lmaxi = 2 of the bond Cu-Cu"),
        ("nr: [2], nl: [0], c: [-0.3", "nr: [4], nl: [0], c: [-0.3", "nr 4 exceeds nradbaseij = 3 of the bond Cu-Cu"),
        (CU, CU.replace("[0, 0], c", "[0], c"), "order 4 has 2 intermediate momenta, but lint has 1"),
        (CU, CU.replace("[0, 0], c", "[0, 1], c"), "does not reach total momentum 0"),
        (CU, CU.replace("[1, 1, 1, 1], lint", "[1, 1, 1, 0], lint"), r"the sum of nl \[1, 1, 1, 0\] must be even"),
        (
            "metadata:\n",
            "auxdata: {_float: {a: 1}}\nmetadata:\n",
            "auxdata _float: unknown kind; possible are _int, _double, _string",
        ),
        ("note: invented, two elements", "note: [1]", "metadata note: expected a text"),
        ("skip: true", "skip: often", "skip: expected true or false"),
    ],
)
def test_parse_potential__explains_what_is_wrong(old, new, message):
    with pytest.raises(PotentialError, match=f"(?s)^file: .*({message})"):
        parse_potential(changed(old, new), "file")


def test_parse_potential__explains_a_bond_that_is_defined_nowhere():
    head, tail = TEXT.split("speciesblock: Cu O\n")
    text = head + "speciesblock: Cu O\n    nbody:" + tail.split("    nbody:", 1)[1]
    with pytest.raises(PotentialError, match=r"the bond Cu-O is defined nowhere; give lmaxi, .* or in its mirror block"):
        parse_potential(text)


def test_parse_potential__explains_a_pair_without_bond():
    text = TEXT.split("  - speciesblock: Cu O\n")[0]
    text += "  - speciesblock: Cu O Ni\n    nbody:\n      - {type: Cu O, nr: [1], nl: [0], c: [1, 1]}\n"
    nickel = "  - speciesblock: Ni\n" + TEXT.split("speciesblock: O\n")[1].split("    nbody:")[0] + "    nbody: []\n"
    with pytest.raises(PotentialError, match="the pair Cu-O has no bond; add a block `Cu O` with one"):
        parse_potential(text + nickel)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("    core-repulsion: [1, 1]\n", "core repulsion or inner cutoff differ"),
        ("rcutij: 4.5", "rcut differs from that of block `Cu O`"),
        ("[[[1, 0.4], [0.2, -0.5]], [[0, 1], [0.1, 0.3]]]", "radcoefficients differ from those of block `Cu O`"),
    ],
)
def test_parse_potential__refuses_mirror_blocks_that_differ(lines, message):
    if lines.startswith(" "):
        definition = lines
    else:
        definition = TEXT.split("speciesblock: Cu O\n")[1].split("    nbody:")[0]
        definition = (
            definition.replace("rcutij: 4.75", lines) if "rcut" in lines else re.sub(r"\[\[\[.*\]\]\]", lines, definition)
        )
    with pytest.raises(PotentialError, match=message):
        parse_potential(changed("speciesblock: O Cu\n", f"speciesblock: O Cu\n{definition}"))


def test_read_potential__names_the_file(tmp_path):
    with pytest.raises(PotentialError, match=r"absent\.yaml: no such potential file"):
        read_potential(tmp_path / "absent.yaml")
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(PotentialError, match=r"binary\.yaml: cannot be read as a text file"):
        read_potential(tmp_path / "binary.yaml")
    with pytest.raises(PotentialError, match="cannot be read as a text file"):
        read_potential(tmp_path)


def test_import_potential__reads_the_same_and_logs_what_is_doubtful(caplog):
    assert read_potential(TWO_ELEMENTS).n_functions == 11
    assert caplog.text == ""
    assert import_potential(TWO_ELEMENTS).n_functions == 11
    assert "two_elements.yaml: if pacemaker trained it" in caplog.text


def test_import_potential__misses_the_last_line_of_what_acefit_wrote(tmp_path, caplog):
    potential = replace(read_potential(TWO_ELEMENTS), metadata={"acefit_version": "0.1.0"})
    path = tmp_path / "p.yaml"
    write_potential(potential, path)
    import_potential(path)
    assert caplog.text == ""
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:-2]))
    assert import_potential(path).n_functions == potential.n_functions - 1
    assert "p.yaml: acefit wrote it, but its last line, the seal, is missing: is the file cut off?" in caplog.text


def test_read_potential__memory_follows_the_file_and_not_its_claims():
    text = (Path(__file__).parents[2] / "data" / "demo.yaml").read_text()
    claims = text.replace("nradmaxi: 2", "nradmaxi: 1000", 1).replace("lmaxi: 2", "lmaxi: 1000", 1)
    with pytest.raises(PotentialError, match="nradmaxi = 1000 radial functions, but only 2 are listed"):
        parse_potential(claims.replace("nradbaseij: 3", "nradbaseij: 1000", 1))


def test_read_potential__refuses_pipes(tmp_path):
    os.mkfifo(tmp_path / "p.yaml")
    with pytest.raises(PotentialError, match=r"p\.yaml: cannot be read as a text file .*a pipe"):
        read_potential(tmp_path / "p.yaml")
