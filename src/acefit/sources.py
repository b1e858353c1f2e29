"""What Python sources import, found by reading them: nothing is executed."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Sequence
from pathlib import Path


class _Imports(ast.NodeVisitor):
    """Collect the modules that a source imports, those inside functions only if asked."""

    def __init__(self, module: str, is_package: bool, lazily: bool) -> None:
        self.package = module if is_package else module.rpartition(".")[0]
        self.lazily = lazily
        self.names: set[str] = set()

    def generic_visit(self, node: ast.AST) -> None:
        # Imports are statements; looking into expressions would take most of the time
        for child in ast.iter_child_nodes(node):
            if not isinstance(child, ast.expr):
                self.visit(child)

    def visit_Import(self, node: ast.Import) -> None:
        self.names.update(alias.name for alias in node.names)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        base = node.module or ""
        if node.level:
            parents = self.package.split(".")
            base = ".".join(parents[: len(parents) - node.level + 1] + ([base] if base else []))
        self.names.add(base)
        self.names.update(f"{base}.{alias.name}" for alias in node.names)

    def visit_If(self, node: ast.If) -> None:
        test = ast.unparse(node.test)
        for child in node.orelse if test in {"TYPE_CHECKING", "typing.TYPE_CHECKING"} else ast.iter_child_nodes(node):
            self.visit(child)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        if self.lazily:
            self.generic_visit(node)


def imported_modules(source: str | bytes, module: str, is_package: bool, lazily: bool = True) -> frozenset[str]:
    """Names that a source imports: modules, and what it takes from modules, which may be modules too.

    Parameters
    ----------
    source : text of the module
    module : its dotted name, from which relative imports count
    is_package : whether it is an ``__init__.py``
    lazily : whether imports inside functions count

    Raises
    ------
    SyntaxError, ValueError
        If the text is no Python.
    """
    visitor = _Imports(module, is_package, lazily)
    visitor.visit(ast.parse(source))
    return frozenset(visitor.names)


def module_file(module: str, folder: Path) -> Path | None:
    """Source of a module with this dotted name in a folder, None if there is none."""
    place = folder.joinpath(*module.split("."))
    found = (file for file in (place / "__init__.py", place.with_name(f"{place.name}.py")) if file.is_file())
    return next(found, None)


def user_digest(module: str, folders: Sequence[str | Path]) -> str | None:
    """Digest of the sources of a user's module: its own, and those of all modules in the same folders that it imports.

    Parameters
    ----------
    module : dotted name
    folders : where modules of the user are, the first one counts

    Returns
    -------
    str or None
        Sixteen hexadecimal digits; None where the module is in none of the folders but installed, or absent.
    """
    sources: dict[str, bytes] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if not name or name in sources:
            continue
        file = next((found for folder in folders if (found := module_file(name, Path(folder)))), None)
        if file is None:
            continue
        sources[name] = file.read_bytes()
        waiting += [name.rpartition(".")[0], *_imports_if_any(sources[name], name, file.name == "__init__.py")]
    digest = hashlib.sha256()
    for name, content in sorted(sources.items()):
        digest.update(f"{name} {len(content)}\n".encode() + content)
    return digest.hexdigest()[:16] if module in sources else None


def _imports_if_any(source: bytes, module: str, is_package: bool) -> frozenset[str]:
    """What a source imports; nothing if it is no Python, which is said where it is imported."""
    try:
        return imported_modules(source, module, is_package)
    except (SyntaxError, ValueError):
        return frozenset()
