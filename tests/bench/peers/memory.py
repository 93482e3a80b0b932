"""scikit-learn with loky and `Pipeline(memory=folder)`: prefixes are shared through disk."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from typing import Any

from sklearn.base import clone

from bench import work
from bench.peers import loky, serve


class Memory(loky.Loky):
    """The folder is empty when a search begins, as in a script that runs once."""

    def search(self, search: work.Search) -> Any:
        with tempfile.TemporaryDirectory() as folder:
            estimator = clone(search.estimator).set_params(memory=folder)
            return super().search(replace(search, estimator=estimator))


if __name__ == "__main__":
    serve.main(Memory())
