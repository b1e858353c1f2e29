"""Exceptions a user may meet; each message says what is wrong, where, and how to mend it."""


class AcefitError(Exception):
    """Base of all errors that are the input's fault rather than the program's."""


class ConfigError(AcefitError, ValueError):
    """The configuration cannot be used."""


class PotentialError(AcefitError, ValueError):
    """A potential file or basis definition is invalid."""


class DataError(AcefitError, ValueError):
    """A dataset, weight file or structure cannot be used."""


class ArtifactError(AcefitError, ValueError):
    """A file written by an earlier stage is missing, truncated, foreign or altered."""


class FitError(AcefitError, RuntimeError):
    """An optimisation cannot go on."""
