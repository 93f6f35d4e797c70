"""Benchmarks: each stage beside the naive way and beside a bare kernel of the same work, as ratios from one run."""
