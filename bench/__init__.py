"""Benchmarks. Each writes `bench/results/<name>.json`; README and docs quote nothing else."""
