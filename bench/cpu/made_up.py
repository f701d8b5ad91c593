"""A random encoder of a few kilobytes with texts that it can read, for a quick run."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any, Final

import tokenizers
import torch
import transformers as hf
from tokenizers import models, pre_tokenizers, processors

from bench.cpu.scale import SEED

_SPECIALS: Final = ("<s>", "<pad>", "</s>", "<unk>")
_WORDS: Final = tuple(f"word{number}" for number in range(60))
_SIZES: Final[dict[str, Any]] = {
    "vocab_size": len(_SPECIALS) + len(_WORDS), "hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2,
    "intermediate_size": 64, "max_position_embeddings": 64, "pad_token_id": 1,
}  # fmt: skip


def write_checkpoint(folder: Path, *, family: str) -> None:
    """A random checkpoint of a family (bert, mpnet) with a tokenizer of whole words."""
    torch.manual_seed(SEED)
    hf.logging.disable_progress_bar()
    hf.AutoModel.from_config(hf.AutoConfig.for_model(family, **_SIZES)).save_pretrained(folder)
    vocab = {word: place for place, word in enumerate((*_SPECIALS, *_WORDS))}
    tokenizer = tokenizers.Tokenizer(models.WordLevel(vocab, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", vocab["<s>"]), ("</s>", vocab["</s>"])]
    )
    tokenizer.save(str(folder / "tokenizer.json"))


def texts(count: int = 100) -> list[str]:
    """So many texts of 2 to 30 words, the same at every call."""
    dice = random.Random(SEED)
    return [" ".join(dice.choices(_WORDS, k=dice.randint(2, 30))) for _ in range(count)]
