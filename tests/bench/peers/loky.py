"""scikit-learn with joblib's default: loky, its processes kept between searches."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from joblib import parallel_config

from bench import work
from bench.peers import serve


class Loky(serve.Runner):
    """`n_jobs=cores`; batching and memmaps are joblib's own."""

    @contextlib.contextmanager
    def backend(self, search: work.Search | None) -> Iterator[None]:
        with parallel_config("loky"):
            yield


if __name__ == "__main__":
    serve.main(Loky())
