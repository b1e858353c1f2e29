import json
import subprocess
import sys

import pytest

import acefit
from acefit.cli import app
from commands import run


def test_build_app__lists_all_commands():
    result = run("--help")
    assert result.exit_code == 0
    for name in app.COMMANDS:
        assert name in result.stdout


@pytest.mark.parametrize("name", app.COMMANDS)
def test_every_command__explains_itself_with_an_example(name):
    result = run(name, "--help")
    assert result.exit_code == 0
    assert "Example" in result.stdout


def test_print_version__prints_the_version():
    assert run("--version").stdout.strip() == f"acefit {acefit.__version__}"


def test_main__one_message_and_exit_code_1(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["acefit", "info", str(tmp_path / "[absent].yaml")])
    with pytest.raises(SystemExit) as ended:
        app.main()
    assert ended.value.code == app.FAILED
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert "[absent].yaml" in error


def test_start__the_installed_command_works(demo_file):
    done = subprocess.run([sys.executable, "-c", "from acefit.cli.app import main; main()", "info", str(demo_file), "--json"],
                          capture_output=True, text=True, check=True)  # fmt: skip
    assert json.loads(done.stdout)[str(demo_file)]["potential"]["elements"] == ["Al", "Ni"]
