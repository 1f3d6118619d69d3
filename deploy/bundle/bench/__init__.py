"""The parts of bench.py: runs makes clips and jobs and reads what winnow left; figures computes from records."""
