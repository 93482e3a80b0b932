"""Cross-validate digits twice: a support vector machine and a two-layer network.

Both searches run on the cluster that Crossfold starts by itself, and once more in one process with
plain scikit-learn, to show that the results are the same. Ends with status 1 when they are not.
"""

from __future__ import annotations

import os
import sys

# One thread per fit, as in the workers, so that the times of both sides can be compared.
for library in ("OMP", "OPENBLAS", "MKL"):
    os.environ[f"{library}_NUM_THREADS"] = "1"
for pool in ("INTRAOP", "INTEROP"):
    os.environ[f"TF_NUM_{pool}_THREADS"] = "1"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def main() -> int:
    """Run both searches; 0 when both equal scikit-learn's."""
    import digits_svc

    same = digits_svc.main()

    # TensorFlow takes seconds to import, and only this search needs it.
    import digits_network

    same &= digits_network.main()
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
