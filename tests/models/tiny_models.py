"""Models of a few kilobytes with random weights, made in the test: they say gibberish, of the form asked for."""

import struct
from pathlib import Path

import numpy as np

WIDTH, HIDDEN, HEADS, CONTEXT = 32, 64, 2, 1024
BYTES = [f"<0x{byte:02X}>" for byte in range(256)]
WORDS = ["<unk>", "<s>", "</s>", *BYTES]


def write_gguf(path: Path, template: str | None = None) -> Path:
    """A llama with one layer, over bytes, in llama.cpp's file format (GGUF 3)."""
    random = np.random.default_rng(0)
    kinds = [2, 3, 3] + [6] * 256
    metadata: dict[str, object] = {
        "general.architecture": "llama",
        "llama.block_count": 1,
        "llama.context_length": CONTEXT,
        "llama.embedding_length": WIDTH,
        "llama.feed_forward_length": HIDDEN,
        "llama.attention.head_count": HEADS,
        "llama.attention.layer_norm_rms_epsilon": 1e-5,
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.tokens": WORDS,
        "tokenizer.ggml.scores": [0.0] * len(WORDS),
        "tokenizer.ggml.token_type": kinds,
        "tokenizer.ggml.bos_token_id": 1,
        "tokenizer.ggml.eos_token_id": 2,
        **({"tokenizer.chat_template": template} if template else {}),
    }
    shapes = {"token_embd.weight": (len(WORDS), WIDTH), "output_norm.weight": (WIDTH,)}
    shapes |= {f"blk.0.attn_{name}.weight": (WIDTH, WIDTH) for name in ("q", "k", "v", "output")}
    shapes |= {f"blk.0.{name}_norm.weight": (WIDTH,) for name in ("attn", "ffn")}
    shapes |= {f"blk.0.ffn_{name}.weight": (HIDDEN, WIDTH) for name in ("gate", "up")}
    shapes |= {"blk.0.ffn_down.weight": (WIDTH, HIDDEN)}
    head = struct.pack("<4sIQQ", b"GGUF", 3, len(shapes), len(metadata))
    head += b"".join(_text(key) + _value(value) for key, value in metadata.items())
    body = b""
    for name, shape in shapes.items():
        head += _text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape[::-1], 0, len(body))
        weights = random.normal(0, 0.5, shape) if len(shape) > 1 else np.ones(shape)
        data = weights.astype("<f4").tobytes()
        body += data + b"\0" * (-len(data) % 32)
    path.write_bytes(head + b"\0" * (-len(head) % 32) + body)
    return path


def _text(text: str) -> bytes:
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def _value(value: object) -> bytes:
    if isinstance(value, str):
        return struct.pack("<I", 8) + _text(value)
    if isinstance(value, int):
        return struct.pack("<II", 4, value)
    if isinstance(value, float):
        return struct.pack("<If", 6, value)
    assert isinstance(value, list)
    kind, encode = {
        str: (8, _text),
        int: (5, lambda item: struct.pack("<i", item)),
        float: (6, lambda item: struct.pack("<f", item)),
    }[type(value[0])]
    return struct.pack("<IIQ", 9, kind, len(value)) + b"".join(encode(item) for item in value)


def write_transformers(folder: Path, template: str | None = None) -> Path:
    """A llama with one layer and a tokenizer of bytes, in the format of transformers."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {letter: number for number, letter in enumerate(["<unk>", "<s>", "</s>", *letters])}
    marks = dict(zip(("unk_token", "bos_token", "eos_token"), vocabulary, strict=False))
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[], unk_token=marks["unk_token"]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, **marks)
    fast.chat_template = template
    fast.model_max_length = 256
    fast.save_pretrained(folder)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(vocabulary),
        hidden_size=WIDTH,
        intermediate_size=HIDDEN,
        num_hidden_layers=1,
        num_attention_heads=HEADS,
        max_position_embeddings=256,
        bos_token_id=1,
        eos_token_id=2,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder
