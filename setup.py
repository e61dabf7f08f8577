"""What pyproject.toml cannot say: the models that ship lie beside the packages, in a wheel within headct."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

MODELS = Path("models")


class WithModels(build_py):
    """Copies the models; an editable installation finds them where they are."""

    def run(self) -> None:
        """Build, then copy."""
        super().run()
        if not self.editable_mode:
            shutil.copytree(MODELS, Path(self.build_lib) / "headct" / MODELS.name, dirs_exist_ok=True)


setup(cmdclass={"build_py": WithModels})
