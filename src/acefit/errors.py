"""Exceptions a user may meet; each message says what is wrong, where, and how to mend it."""


class AcefitError(Exception):
    """Base of all errors that are the input's fault rather than the program's."""


class ConfigError(AcefitError, ValueError):
    """The configuration cannot be used."""


class PotentialError(AcefitError, ValueError):
    """A potential file or basis definition is invalid."""


class ActiveSetError(AcefitError, ValueError):
    """An active set cannot be used, or does not belong to the potential."""


class ExtrapolationError(AcefitError, RuntimeError):
    """A structure is too far from what the potential was fitted to.

    Parameters
    ----------
    message : str
    gamma : float
        Its extrapolation grade.
    """

    def __init__(self, message: str, gamma: float) -> None:
        super().__init__(message)
        self.gamma = gamma


class DataError(AcefitError, ValueError):
    """A dataset, weight file or structure cannot be used."""


class ArtifactError(AcefitError, ValueError):
    """A file written by an earlier stage is missing or does not fit to the others."""


class DamagedArtifactError(ArtifactError):
    """A file of the pipeline is truncated, foreign or altered, so that its stage has to be done again.

    Parameters
    ----------
    path : path
        The file.
    problem : str
        What is wrong with it, as the predicate of a sentence.
    """

    def __init__(self, path: object, problem: str) -> None:
        super().__init__(f"{path} {problem}; delete it and run the pipeline again, which writes it anew")
        self.path, self.problem = str(path), problem


class FitError(AcefitError, RuntimeError):
    """An optimisation cannot go on."""
