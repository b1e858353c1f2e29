import re

import pytest

from acefit.artifact_contracts import CONTRACTS

DTYPES = re.compile(r"(bool|int16|int32|int64|float64|string)(\[\d+\])?")


@pytest.mark.parametrize("name", CONTRACTS)
def test_contract__is_complete(name):
    contract = CONTRACTS[name]
    assert contract.name == name
    assert contract.version >= 1
    names = [column.name for column in contract.columns]
    assert len(set(names)) == len(names)
    for column in (*contract.columns, *([contract.extra] if contract.extra else [])):
        assert DTYPES.fullmatch(column.dtype), column
        assert column.unit
        assert column.meaning
