from commands import run, run_json


def test_info__prints_elements_and_functions(demo_file):
    result = run("info", demo_file)
    assert result.exit_code == 0
    assert "Al Ni" in result.stdout
    assert "ChebExpCos" in result.stdout


def test_info__as_json(demo_file):
    description = run_json("info", demo_file)[str(demo_file)]
    assert description["potential"]["functions"] == 12
    assert [row["pair"] for row in description["bonds"]] == ["Al-Al", "Al-Ni", "Ni-Ni"]


def test_info__reads_c_tilde_files(demo_file, tmp_path):
    assert run("convert", demo_file, tmp_path / "demo.yace").exit_code == 0
    description = run_json("info", tmp_path / "demo.yace")[str(tmp_path / "demo.yace")]
    assert description["potential"]["functions"] == 12
