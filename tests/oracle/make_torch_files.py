"""Writes tests/fixtures/torch/: files by torch.save, and what is in them as safetensors.

    python make_torch_files.py [FOLDER]

- zip.pth, old.pth: the same tensors in today's format and in that before PyTorch 1.6: all element
  types, views (transposed, cut out, strided), two names for one storage, a scalar, an empty one, a
  parameter, dicts in dicts; expected.safetensors has them as PyTorch hands them out.
- checkpoint.ckpt: a "state_dict" among other things.
- pairs.pth: a dict as Python 2 saves it, made of a list of pairs.
- harmful.pth, harmful_old.pth: pickles that would run a command.
"""

import collections
import os
import pathlib
import sys

import torch
from safetensors.torch import save_file

TYPES = {
    "f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16, "f64": torch.float64,
    "i64": torch.int64, "i32": torch.int32, "i16": torch.int16, "i8": torch.int8,
    "u8": torch.uint8, "bool": torch.bool,
}  # fmt: skip


class Pairs:
    def __reduce__(self):
        pairs = [["a.weight", torch.tensor([[1.0, 2.0]])], ["b", torch.tensor([3, 4])]]
        return collections.OrderedDict, (pairs,)


class Harmful:
    def __reduce__(self):
        return os.system, ("touch harmful-was-here",)


def main():
    here = pathlib.Path(__file__).resolve().parent
    out = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else here.parent / "fixtures/torch"
    out.mkdir(exist_ok=True)
    block = torch.arange(24, dtype=torch.float32).reshape(4, 6)
    tensors = collections.OrderedDict()
    for name, dtype in TYPES.items():
        tensors[f"type.{name}"] = torch.tensor([[0, 1, 2], [3, 4, 5]]).to(dtype)
    tensors["whole"] = block
    tensors["tied"] = block
    tensors["transposed"] = block.t()
    tensors["cut"] = block[1:3, 2:5]
    tensors["row"] = block[2]
    tensors["strided"] = torch.arange(10, dtype=torch.float16)[1::3]
    tensors["channels_last"] = torch.arange(48.0).reshape(2, 4, 3, 2).contiguous(
        memory_format=torch.channels_last
    )
    tensors["scalar"] = torch.tensor(2.5)
    tensors["empty"] = torch.zeros(0, 3)
    tensors["parameter"] = torch.nn.Parameter(torch.tensor([1.0, -1.0]))
    tensors._metadata = {"": {"version": 1}}
    model = {**tensors, "inner": {"deep": {"tensor": torch.tensor([7, 8])}, "note": "not a tensor"},
             "epoch": 3, "rate": 1e-4, "names": ["a", "b"], "none": None, "yes": True}  # fmt: skip
    torch.save(model, out / "zip.pth")
    torch.save(model, out / "old.pth", _use_new_zipfile_serialization=False)
    expected = {n: t.detach().clone().contiguous() for n, t in tensors.items()}
    expected["inner.deep.tensor"] = model["inner"]["deep"]["tensor"]
    save_file(expected, out / "expected.safetensors")
    torch.save({"state_dict": {"a.weight": torch.ones(2)}, "optimizer": {"m": torch.ones(3)}},
               out / "checkpoint.ckpt")  # fmt: skip
    torch.save(Pairs(), out / "pairs.pth", _use_new_zipfile_serialization=False)
    torch.save({"a": torch.ones(2), "b": Harmful()}, out / "harmful.pth")
    torch.save({"b": Harmful()}, out / "harmful_old.pth", _use_new_zipfile_serialization=False)
    for file in out.iterdir():
        file.chmod(0o644)


if __name__ == "__main__":
    main()
