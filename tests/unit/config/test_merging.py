from acefit.config.merging import merged_bonds, merged_embeddings, with_defaults
from acefit.config.potential_section import PotentialDefinition


def definition(**parts):
    return PotentialDefinition.model_validate({"elements": ["Ni", "Al"], **parts})


def values(merged):
    return {key: given.value for key, given in merged.items()}


def test_merged_bonds__lets_stronger_keys_win_key_by_key():
    bonds = {"AlNi": {"rcut": 3}, "UNARY": {"rcut": 5}, "NiAl": {"dcut": 0.1, "rcut": 4}, "ALL": {"rcut": 6, "dcut": 0.5}}
    merged = merged_bonds(definition(bonds=bonds))
    assert values(merged["Al", "Al"]) == {"rcut": 5, "dcut": 0.5}
    assert values(merged["Al", "Ni"]) == {"rcut": 4, "dcut": 0.1}
    assert merged["Al", "Ni"]["rcut"].entry == "NiAl"


def test_merged_bonds__leaves_out_pairs_without_entry():
    assert set(merged_bonds(definition(bonds={"UNARY": {"rcut": 5}}))) == {("Al", "Al"), ("Ni", "Ni")}


def test_merged_embeddings__orders_keywords():
    embeddings = {
        "Al": {"ndensity": 3},
        "UNARY": {"ndensity": 2, "npot": "FinnisSinclair"},
        "ALL": {"ndensity": 1, "drho_core_cut": 9},
    }
    merged = merged_embeddings(definition(embeddings=embeddings))
    assert values(merged["Al"]) == {"ndensity": 3, "npot": "FinnisSinclair", "drho_core_cut": 9}
    assert values(merged["Ni"])["ndensity"] == 2


def test_with_defaults__fills_the_weakest_entry_of_each_pair_only():
    filled = with_defaults(definition(bonds={"BINARY": {"rcut": 5}, "Al": {"rcut": 4}, "AlNi": {"dcut": 0.2}}))["bonds"]
    assert filled["BINARY"]["radbase"] == filled["Al"]["radbase"] == "ChebExpCos"
    assert filled["AlNi"] == {"dcut": 0.2}
    assert "nradmax" not in filled["BINARY"]


def test_with_defaults__does_not_undo_stronger_settings():
    filled = with_defaults(definition(bonds={"UNARY": {"rcut": 5}, "ALL": {"radbase": "SBessel", "dcut": 1}}))["bonds"]
    assert filled["UNARY"] == {"rcut": 5}
    assert (filled["ALL"]["radbase"], filled["ALL"]["inner_cutoff_type"]) == ("SBessel", "distance")
