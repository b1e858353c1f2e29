import pytest
import yaml

from acefit.config.document import SECTIONS
from acefit.config.document_examples import EXAMPLES
from acefit.config.loading import validate_config


@pytest.mark.parametrize("title", EXAMPLES)
def test_example__is_valid_and_has_a_section(title):
    validate_config({"potential": "a.yaml", "data": "a.xyz"} | yaml.safe_load(EXAMPLES[title]))
    assert title in {name for name, _, _ in SECTIONS}
