"""PySpark with joblib-spark, `local[cores]`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from joblib import parallel_config
from joblibspark import register_spark
from pyspark.sql import SparkSession

from bench import work
from bench.peers import serve


class Spark(serve.Runner):
    """Python workers are reused, and the web interface is off: it would take from the same cores."""

    def start(self, processes: int) -> None:
        super().start(processes)
        self.session = (
            SparkSession.builder.master(f"local[{processes}]")
            .config("spark.ui.enabled", "false")
            .config("spark.driver.memory", "4g")
            .config("spark.python.worker.reuse", "true")
            .getOrCreate()
        )
        register_spark()

    @contextlib.contextmanager
    def backend(self, search: work.Search | None) -> Iterator[None]:
        with parallel_config("spark"):
            yield

    def own_calls(self, count: int) -> list[int]:
        return self.session.sparkContext.parallelize(range(count), self.processes).map(work.nothing).collect()


if __name__ == "__main__":
    serve.main(Spark())
