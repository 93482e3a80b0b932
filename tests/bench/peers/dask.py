"""dask.distributed: a LocalCluster of processes with one thread each, data scattered once a search."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from dask.distributed import Client, LocalCluster
from joblib import parallel_config

from bench import work
from bench.peers import serve


class Dask(serve.Runner):
    """`parallel_config("dask", scatter=[X, y])`, as dask's documentation of scikit-learn has it."""

    def start(self, processes: int) -> None:
        super().start(processes)
        self.client = Client(
            LocalCluster(n_workers=processes, threads_per_worker=1, processes=True, dashboard_address=None)
        )

    @contextlib.contextmanager
    def backend(self, search: work.Search | None) -> Iterator[None]:
        scattered = {} if search is None else {"scatter": [search.X, search.y]}
        with parallel_config("dask", **scattered):
            yield

    def own_calls(self, count: int) -> list[int]:
        return self.client.gather(self.client.map(work.nothing, range(count), pure=False))


if __name__ == "__main__":
    serve.main(Dask())
