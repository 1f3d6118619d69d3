"""Prints what torch.load(weights_only=True) makes of a file: dtype, shape, values."""

import json
import sys

import torch

rows = torch.load(sys.argv[1], weights_only=True, map_location="cpu")
json.dump({"DType": str(rows.dtype), "Shape": list(rows.shape), "Values": rows.float().flatten().tolist()}, sys.stdout)
