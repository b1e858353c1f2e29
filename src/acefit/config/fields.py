"""Building blocks of the configuration model: closed sections, key declarations, number types.

No key is declared here; see the section modules.
"""

import math
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator


class Section(BaseModel):
    """A closed map of keys: unknown keys are errors, a key without value counts as not given."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _without_empty_keys(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        known = {field.alias or name for name, field in cls.model_fields.items()}
        return {key: value for key, value in data.items() if value is not None or key not in known}


def key(
    default: Any,
    description: str,
    *,
    unit: str | None = None,
    ours: bool = False,
    ignored: str | None = None,
    alias: str | None = None,
) -> Any:
    """Declare one key of a section.

    Parameters
    ----------
    default : value when the key is absent; `...` for a key that must be given
    description : meaning, for the documentation and the editor schema
    unit : physical unit
    ours : True for a key that pacemaker does not know
    ignored : why a pacemaker key has no effect here; a notice says so when it is given
    alias : spelling in the file where it is no Python name
    """
    extra = {"origin": "acefit" if ours else "pacemaker", "unit": unit, "ignored": ignored}
    return Field(
        default=default, description=description, alias=alias, json_schema_extra={k: v for k, v in extra.items() if v is not None}
    )


def _to_number(value: Any) -> Any:
    """Read strings such as `1e-8`, which YAML does not take for a number; keep booleans from passing as 0 and 1."""
    if isinstance(value, bool):
        raise ValueError("a boolean is not a number")
    if isinstance(value, str):
        try:
            number = float(value)
        except ValueError:
            raise ValueError("not a number") from None
        return int(number) if math.isfinite(number) and number.is_integer() else number
    return value


def _none_word(value: Any) -> Any:
    return None if isinstance(value, str) and value.strip().lower() == "none" else value


NUMBER = BeforeValidator(_to_number)
OR_NONE = BeforeValidator(_none_word)
"""Marks an optional value for which the word `none` may be written, as pacemaker's inputs do."""

# The bounds stand first: behind the conversion they would not enter the schema
Number = Annotated[float, NUMBER]
Positive = Annotated[float, Field(gt=0), NUMBER]
NonNegative = Annotated[float, Field(ge=0), NUMBER]
Fraction = Annotated[float, Field(ge=0, le=1), NUMBER]
OpenFraction = Annotated[float, Field(gt=0, lt=1), NUMBER]
Count = Annotated[int, Field(ge=1), NUMBER]
Whole = Annotated[int, Field(ge=0), NUMBER]
Seed = Annotated[int, Field(ge=0, le=2**32 - 1), NUMBER]
Name = Annotated[str, Field(min_length=1)]
Names = Annotated[list[Name], Field(min_length=1)]


def as_list(value: str | list[str] | None) -> list[str]:
    """Entries of a key that takes one string or a list of them."""
    if value is None:
        return []
    return [value] if isinstance(value, str) else list(value)
