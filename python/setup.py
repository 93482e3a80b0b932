"""Tags the wheel: with the Go program inside it is for one platform, but for every Python 3."""

from pathlib import Path

from setuptools import Distribution, setup
from setuptools.command.bdist_wheel import bdist_wheel

_BINARY = Path(__file__).parent / "crossfold" / "_bin" / "crossfold"


class _Distribution(Distribution):
    def has_ext_modules(self) -> bool:
        return _BINARY.exists()


class _Wheel(bdist_wheel):
    def get_tag(self) -> tuple[str, str, str]:
        _, _, platform = super().get_tag()
        return "py3", "none", platform


setup(distclass=_Distribution, cmdclass={"bdist_wheel": _Wheel})
