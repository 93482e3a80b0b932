"""Benchmarks against peers, by the public Python API."""
