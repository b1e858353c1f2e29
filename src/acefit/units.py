"""Conversions between the units of the package (eV, Å) and those of reports (CODATA 2018, exact)."""

EV_PER_A3_IN_GPA = 160.2176634
"""1 eV/Å^3 in GPa."""
