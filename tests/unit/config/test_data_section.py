from acefit.config.data_section import DataSection
from acefit.data.checks import MINIMUM_DISTANCE
from acefit.data.readers import ReadingOptions


def test_defaults__are_those_of_the_reader():
    data, options = DataSection(filename="a.xyz"), ReadingOptions()
    for key in ("energy_key", "forces_key", "stress_key", "group_key", "on_bad_structure", "minimum_distance"):
        assert getattr(data, key) == getattr(options, key)
    assert data.minimum_distance == MINIMUM_DISTANCE


def test_reference_energy__keeps_numbers_words_and_maps_apart():
    def read(value):
        return DataSection(filename="a.xyz", reference_energy=value).reference_energy

    assert [read("-3.5"), read(0), read("auto"), read({"Al": "1e-3"})] == [-3.5, 0.0, "auto", {"Al": 1e-3}]
