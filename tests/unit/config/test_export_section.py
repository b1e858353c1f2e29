import pytest
from pydantic import ValidationError

from acefit.config.export_section import ExportSection


def test_export_section__leaves_energies_on_the_scale_of_the_fit_unless_told():
    assert ExportSection().e0 == "zero"
    assert ExportSection(e0="references").e0 == "references"


@pytest.mark.parametrize("values", [{"e0": "auto"}, {"E0": "zero"}])
def test_export_section__refuses_others(values):
    with pytest.raises(ValidationError):
        ExportSection.model_validate(values)
