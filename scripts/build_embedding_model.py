"""Make the embedding model that ships with the package.

    python scripts/build_embedding_model.py SOURCE_DIR TARGET_DIR

SOURCE_DIR holds all-MiniLM-L6-v2 as sentence-transformers saves it (config.json,
model.safetensors, vocab.txt); TARGET_DIR receives `model.onnx` (int8 weights, mean pooling
and normalisation inside the graph), `vocab.txt` and `SHA256SUMS`.

Needs, once, on the machine of whoever makes the file: torch, transformers, onnx, onnxscript
and onnxruntime. Nobody who installs or tests the package needs any of them but onnxruntime.
"""

import hashlib
import shutil
import sys
import tempfile
from pathlib import Path

import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.quantization.shape_inference import quant_pre_process
from transformers import AutoModel

OPSET = 18


class SentenceEncoder(torch.nn.Module):
    """BERT, then the mean over the real tokens, then the unit sphere."""

    def __init__(self, source: Path) -> None:
        super().__init__()
        self.bert = AutoModel.from_pretrained(source, attn_implementation="eager")

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        states = self.bert(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        weights = attention_mask.unsqueeze(-1).to(states.dtype)
        mean = (states * weights).sum(1) / weights.sum(1)
        return torch.nn.functional.normalize(mean, dim=1)


def export(source: Path, target: Path) -> None:
    encoder = SentenceEncoder(source).eval()
    ids = torch.randint(1000, 2000, (2, 16))
    mask = torch.ones_like(ids)
    torch.onnx.export(
        encoder,
        (ids, mask),
        str(target),
        input_names=["input_ids", "attention_mask"],
        output_names=["embedding"],
        dynamic_axes={
            "input_ids": {0: "batch", 1: "tokens"},
            "attention_mask": {0: "batch", 1: "tokens"},
            "embedding": {0: "batch"},
        },
        opset_version=OPSET,
        dynamo=False,
    )


def main(source: Path, target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        full, prepared = Path(scratch, "full.onnx"), Path(scratch, "prepared.onnx")
        export(source, full)
        quant_pre_process(str(full), str(prepared), skip_symbolic_shape=True)
        quantize_dynamic(str(prepared), str(target / "model.onnx"), weight_type=QuantType.QInt8, per_channel=True)
    shutil.copy(source / "vocab.txt", target / "vocab.txt")
    sums = [
        f"{hashlib.sha256((target / name).read_bytes()).hexdigest()}  {name}" for name in ("model.onnx", "vocab.txt")
    ]
    (target / "SHA256SUMS").write_text("\n".join(sums) + "\n")
    print("\n".join(sums))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
