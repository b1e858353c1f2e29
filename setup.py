"""Put the workflow into built packages; everything else about the package is in pyproject.toml.

The workflow is at the root of the repository, where Snakemake looks for it; an editable installation finds it there.
"""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
PARTS = ("Snakefile", "workflow", "profiles", "config/config.yaml", "examples/silicon/silicon.xyz.gz")


class BuildWithWorkflow(build_py):
    """Copy the parts of the repository that `acefit run` needs to `acefit/_repository`."""

    def run(self) -> None:
        """Build, then copy unless the installation is editable."""
        super().run()
        if self.editable_mode:
            return
        target = Path(self.build_lib) / "acefit" / "_repository"
        shutil.rmtree(target, ignore_errors=True)
        for part in PARTS:
            source, copy = ROOT / part, target / part
            copy.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, copy, ignore=shutil.ignore_patterns("__pycache__", ".snakemake"))
            else:
                shutil.copy2(source, copy)


setup(cmdclass={"build_py": BuildWithWorkflow})
