import pandas as pd

from acefit.analysis.summary import final_errors

ROWS = [
    {"subset": "train", "structures": "all", "n_structures": 90, "rmse_epa": 3.14159, "rmse_f_comp": 0.0471},
    {"subset": "train", "structures": "low energy", "n_structures": 9, "rmse_epa": 1.0, "rmse_f_comp": 0.01},
    {"subset": "test", "structures": "all", "n_structures": 10, "rmse_epa": 12.0, "rmse_f_comp": float("nan")},
    {"subset": "excluded", "structures": "all", "n_structures": 2, "rmse_epa": 900.0, "rmse_f_comp": 9.0},
]


def test_final_errors__is_a_line_for_train_and_test(tmp_path):
    pd.DataFrame(ROWS).to_csv(tmp_path / "errors.csv", index=False)
    assert final_errors(tmp_path / "errors.csv").splitlines() == [
        "train RMSE: energy 3.14 meV/atom, forces 0.0471 eV/Å (90 structures)",
        "test RMSE:  energy 12.00 meV/atom (10 structures)",
    ]


def test_final_errors__without_references_say_so(tmp_path):
    pd.DataFrame([ROWS[0] | {"rmse_epa": None, "rmse_f_comp": None}]).to_csv(tmp_path / "errors.csv", index=False)
    assert final_errors(tmp_path / "errors.csv") == "train RMSE: nothing to compare with (90 structures)"
