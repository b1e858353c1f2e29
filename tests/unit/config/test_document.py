import json

import jsonschema
import pytest
import yaml
from tests.conftest import ROOT

from acefit.config.document import SCHEMA_FILE, TABLE_FILE, documentation, editor_schema, write_documents

HOW = "run python -m acefit.config.document"


def test_documentation__is_up_to_date():
    assert (ROOT / TABLE_FILE).read_text(encoding="utf-8").splitlines() == documentation().splitlines(), HOW


def test_editor_schema__is_up_to_date():
    assert (ROOT / SCHEMA_FILE).read_text(encoding="utf-8").splitlines() == editor_schema().splitlines(), HOW


def test_documentation__has_a_line_for_every_key():
    text = documentation()
    for definition in json.loads(editor_schema())["$defs"].values():
        for name, node in definition.get("properties", {}).items():
            assert node["description"]
            assert f"| `{name}` |" in text or f"`{name}` (" in text


@pytest.mark.parametrize(
    "name", ["config/config.yaml", "tests/config/input_single_element.yaml", "tests/config/input_upfit.yaml"]
)
def test_editor_schema__accepts_valid_files(name):
    # Editors read 1e-8 as a number, the loader used here does not
    text = (ROOT / name).read_text(encoding="utf-8").replace("1e-", "1.0e-")
    jsonschema.validate(yaml.safe_load(text), json.loads(editor_schema()))


def test_editor_schema__refuses_unknown_keys():
    with pytest.raises(jsonschema.ValidationError, match="maxitr"):
        jsonschema.validate({"potential": "a", "data": "b", "fit": {"maxitr": 1}}, json.loads(editor_schema()))


def test_write_documents__writes_both(tmp_path):
    assert [path.relative_to(tmp_path) for path in write_documents(tmp_path)] == [TABLE_FILE, SCHEMA_FILE]
    assert (tmp_path / TABLE_FILE).read_text(encoding="utf-8") == documentation()
