"""dask-ml's own GridSearchCV, which merges equal pipeline prefixes in its graph."""

from __future__ import annotations

from typing import Any

from dask.distributed import Client, LocalCluster
from dask_ml.model_selection import GridSearchCV

from bench import work
from bench.peers import serve


class DaskML(serve.Runner):
    """On a LocalCluster of processes with one thread each; `cache_cv` is on, as by default."""

    def start(self, processes: int) -> None:
        super().start(processes)
        self.client = Client(
            LocalCluster(n_workers=processes, threads_per_worker=1, processes=True, dashboard_address=None)
        )

    def search(self, search: work.Search) -> Any:
        return search.run(GridSearchCV, scheduler=self.client, iid=False).cv_results_


if __name__ == "__main__":
    serve.main(DaskML())
