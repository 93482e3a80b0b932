"""Ray on this machine: its joblib backend for searches, remote functions for calls."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import ray
from joblib import parallel_config
from ray.util.joblib import register_ray

from bench import work
from bench.peers import serve


class Ray(serve.Runner):
    """`ray.init(num_cpus=cores)` without the dashboard, which would take from the same cores."""

    def start(self, processes: int) -> None:
        super().start(processes)
        ray.init(num_cpus=processes, include_dashboard=False, log_to_driver=False)
        register_ray()
        self.remote = ray.remote(work.nothing)

    @contextlib.contextmanager
    def backend(self, search: work.Search | None) -> Iterator[None]:
        with parallel_config("ray"):
            yield

    def own_calls(self, count: int) -> list[int]:
        return ray.get([self.remote.remote(i) for i in range(count)])


if __name__ == "__main__":
    serve.main(Ray())
