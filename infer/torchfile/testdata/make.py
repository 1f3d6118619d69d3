"""Writes the fixtures beside it with torch: run it there once; torch 2.15 wrote those committed."""

import io
import zipfile

import torch

TYPES = {"f16": torch.float16, "bf16": torch.bfloat16, "f32": torch.float32}

for name, dtype in TYPES.items():
    rows = (torch.arange(900, dtype=torch.float32).reshape(300, 3) - 450) / 7
    torch.save(rows.to(dtype), f"{name}.pt")

# A shape with numbers of more than two bytes: its pickle alone.
large = io.BytesIO()
torch.save(torch.zeros(70000, 2, dtype=torch.float16), large)
with zipfile.ZipFile(large) as z, open("large.pkl", "wb") as out:
    out.write(z.read("archive/data.pkl"))
