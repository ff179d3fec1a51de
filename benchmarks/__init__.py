"""Benchmarks: figures to report, never tests that time can fail."""
