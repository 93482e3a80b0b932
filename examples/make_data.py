"""Writes the data of the job files beside it: scikit-learn's wine as CSV, its digits as Parquet."""

from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from sklearn.datasets import load_digits, load_wine

HERE = Path(__file__).resolve().parent
OUT = HERE.parent / "out"


def wine() -> pa.Table:
    """178 rows: 13 measurements and the cultivar's name."""
    data = load_wine()
    columns = {name.replace("/", "_"): data.data[:, i] for i, name in enumerate(data.feature_names)}
    return pa.table({**columns, "cultivar": data.target_names[data.target]})


def digits() -> pa.Table:
    """1,797 rows: one column of 64 pixels, and the digit."""
    images, labels = load_digits(return_X_y=True)
    pixels = pa.FixedSizeListArray.from_arrays(pa.array(images.ravel()), images.shape[1])
    return pa.table({"pixels": pixels, "digit": labels})


def main() -> None:
    """Write both files and print their paths."""
    OUT.mkdir(exist_ok=True)
    pa.csv.write_csv(wine(), HERE / "wine.csv")
    pa.parquet.write_table(digits(), OUT / "digits.parquet")
    print(HERE / "wine.csv", OUT / "digits.parquet", sep="\n")


if __name__ == "__main__":
    main()
