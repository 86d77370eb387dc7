"""Writes tests/fixtures/safetensors/mixed.safetensors with the upstream library.

What the C reader must read and the C writer must reproduce byte by byte: all dtypes that cagen has,
names that need escapes or sort differently by byte than by letter, a scalar, an empty tensor.
"""
import pathlib
import sys

import torch
from safetensors.torch import save_file


def ramp(count, dtype):
    return (torch.arange(count, dtype=torch.float32) * 0.37 - 3.0).to(dtype)


def tensors():
    return {
        "zeta.weight": ramp(6, torch.float32).reshape(2, 3),
        "Alpha.weight": ramp(24, torch.float32).reshape(2, 3, 2, 2),
        "half": ramp(5, torch.float16),
        "brain": ramp(7, torch.bfloat16).reshape(7, 1),
        "position_ids": torch.arange(4, dtype=torch.int64).reshape(1, 4),
        "counts": torch.tensor([-2147483648, 0, 2147483647], dtype=torch.int32),
        "bytes": torch.tensor([0, 127, 255], dtype=torch.uint8),
        "scalar": torch.tensor(2.5, dtype=torch.float32),
        "empty": torch.zeros((0, 3), dtype=torch.float32),
        'quote" back\\slash / tab\t bell\x07 del\x7f é 漢 🙂': ramp(1, torch.float32),
    }


if __name__ == "__main__":
    here = pathlib.Path(__file__).resolve().parent
    out = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else here.parent / "fixtures" / "safetensors"
    out.mkdir(parents=True, exist_ok=True)
    save_file(tensors(), out / "mixed.safetensors", metadata={"format": "pt"})
