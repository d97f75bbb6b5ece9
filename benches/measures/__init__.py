"""The figures of benches/performance.py and benches/scaling.py, by topic."""
