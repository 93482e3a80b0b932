"""Entry point of the zygote: ``python -m crossfold._runtime --fd N --store DIR``."""

from __future__ import annotations

import argparse
import gc
import socket


def main() -> None:
    parser = argparse.ArgumentParser(prog="crossfold._runtime", description=__doc__)
    parser.add_argument("--fd", type=int, required=True, help="descriptor of the socket to Go")
    parser.add_argument("--store", required=True, help="folder of the store")
    arguments = parser.parse_args()
    # Nothing that importing makes is garbage: collecting it only slows the start.
    gc.disable()
    from crossfold._runtime import _zygote

    _zygote.Zygote(socket.socket(fileno=arguments.fd)).serve()


if __name__ == "__main__":
    main()
