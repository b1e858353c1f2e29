"""Chemical symbols and the keys that address groups of elements in the `potential` section.

Kept free of imports: the Snakefile loads this package in every job.
"""

import re

_TABLE = """
    H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br Kr Rb Sr Y Zr Nb Mo Tc Ru
    Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb Lu Hf Ta W Re Os Ir Pt Au Hg Tl Pb Bi Po At Rn
    Fr Ra Ac Th Pa U Np Pu Am Cm Bk Cf Es Fm Md No Lr Rf Db Sg Bh Hs Mt Ds Rg Cn Nh Fl Mc Lv Ts Og
"""
SYMBOLS = tuple(_TABLE.split())
KEYWORDS = ("ALL", "UNARY", "BINARY", "TERNARY", "QUATERNARY", "QUINARY")
_SEPARATORS = re.compile(r"[\s-]+")
_SYMBOL_PATTERN = re.compile(r"[A-Z][a-z]?")


def split_key(key: str) -> tuple[str, ...]:
    """Symbols of a key such as `AlNi` or `Al-Ni`; empty if the key is not a sequence of chemical symbols."""
    word = _SEPARATORS.sub("", key)
    symbols = tuple(_SYMBOL_PATTERN.findall(word))
    return symbols if "".join(symbols) == word and set(symbols) <= set(SYMBOLS) else ()


def keyword_arity(key: str) -> int:
    """Number of elements a keyword stands for: 1 for UNARY, 2 for BINARY, ...; 0 for ALL."""
    return KEYWORDS.index(key)
