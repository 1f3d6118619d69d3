"""What bench.py and curves.py share: runs makes clips and jobs and reads what winnow left; figures computes from records;
report prints; plot draws, and needs matplotlib."""
