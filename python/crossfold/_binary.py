"""Finds the crossfold program, the one Go binary that is coordinator, worker and command line."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from crossfold._errors import BinaryNotFound

_HERE = Path(__file__).resolve().parent


def find() -> Path:
    """The program's path: CROSSFOLD_BINARY, the wheel's own, a checkout's ``bin/``, then PATH.

    Raises
    ------
    BinaryNotFound
        It is in none of these places, or CROSSFOLD_BINARY names no program.
    """
    chosen = os.environ.get("CROSSFOLD_BINARY")
    if chosen:
        if not _is_program(Path(chosen)):
            raise BinaryNotFound(
                f"CROSSFOLD_BINARY={chosen!r} is not an executable file. "
                "Set it to the crossfold program, or unset it to use the installed one."
            )
        return Path(chosen).resolve()
    checkout = _HERE.parents[1]
    places = [_HERE / "_bin" / "crossfold"]
    if (checkout / "go.mod").is_file():
        places.append(checkout / "bin" / "crossfold")
    for place in places:
        if _is_program(place):
            return place.resolve()
    found = _on_path()
    if found is not None:
        return found
    raise BinaryNotFound(
        "The crossfold program was not found. Install a wheel that contains it (pip install crossfold), "
        "run `make setup` in a checkout, or set CROSSFOLD_BINARY to its path."
    )


def main() -> None:
    """Become the crossfold program, with the arguments of this process."""
    try:
        binary = find()
    except BinaryNotFound as error:
        sys.exit(f"crossfold: {error}")
    # Workers it starts must find this interpreter, also when its environment is not activated.
    os.environ["PATH"] = os.pathsep.join([os.path.dirname(sys.executable), os.environ.get("PATH", "")])
    os.execv(binary, ["crossfold", *sys.argv[1:]])


def _is_program(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)


def _on_path() -> Path | None:
    for folder in os.get_exec_path():
        found = shutil.which("crossfold", path=folder)
        # pip's own `crossfold` script is on PATH, too: it would only start itself again.
        if found is not None and not _is_script(found):
            return Path(found).resolve()
    return None


def _is_script(path: str) -> bool:
    with open(path, "rb") as file:
        return file.read(2) == b"#!"
