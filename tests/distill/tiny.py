"""A BERT checkpoint of a few kilobytes, and rows that it can learn in a second."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path

import tokenizers
import torch
from safetensors.torch import save_file
from tokenizers import models, normalizers, pre_tokenizers, processors

from phalanx_distill.compute import Compute
from phalanx_distill.config import DistillSettings, parse_settings
from phalanx_distill.data import Dataset, Row
from phalanx_distill.prepare import prepare
from phalanx_distill.progress import Reporter, Silent
from phalanx_distill.run import Run
from phalanx_distill.sources import Sources, find_checkpoint
from phalanx_distill.stages import Stages
from phalanx_distill.taught import Taught
from phalanx_distill.teachers import teach, untaught

CLUES = {"animal": ("cat", "dog", "horse"), "city": ("paris", "rome", "oslo"), "colour": ("red", "blue", "green")}
FILLERS = ("the", "a", "what", "is", "of", "near", "big", "old", "with", "and", "seen", "today")
WORDS = (*FILLERS, *(clue for clues in CLUES.values() for clue in clues))
HIDDEN, FFN, ROWS, HEADS = 16, 32, 3, 2

QUICK = {
    "teacher": {"fit": {"epochs": 8, "learning_rate": 1e-2, "batch_rows": 16}, "least_steps": 0},
    "students": {
        "count": 3,
        "rows": 1,
        "target": "residual",
        "rows_from": 0,
        "fit": {"epochs": 4, "learning_rate": 1e-2, "batch_rows": 16},
        "later_epochs": 4,
    },
    "ramps": {"fit": {"epochs": 3, "batch_rows": 64}},
    "transfer": {"neighbours": 1},
    "max_tokens": 16,
}
"""Settings for a second of training."""


def write_checkpoint(folder: Path, seed: int = 0) -> Path:
    """A random BERT of three rows with a word-level tokenizer, as Hugging Face lays it out."""
    folder.mkdir(parents=True, exist_ok=True)
    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    vocab = {word: index for index, word in enumerate([*specials, *WORDS])}
    tokenizer = tokenizers.Tokenizer(models.WordLevel(vocab, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", vocab["[CLS]"]), ("[SEP]", vocab["[SEP]"])]
    )
    tokenizer.add_special_tokens(specials)
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {
        "model_type": "bert",
        "hidden_size": HIDDEN,
        "num_hidden_layers": ROWS,
        "num_attention_heads": HEADS,
        "intermediate_size": FFN,
        "vocab_size": len(vocab),
        "max_position_embeddings": 32,
        "type_vocab_size": 2,
        "layer_norm_eps": 1e-12,
        "hidden_act": "gelu",
        "pad_token_id": 0,
    }
    (folder / "config.json").write_text(json.dumps(config))
    save_file(_tensors(len(vocab), torch.Generator().manual_seed(seed)), folder / "model.safetensors")
    return folder


def _tensors(vocab: int, generator: torch.Generator) -> dict[str, torch.Tensor]:
    shapes = {"word": vocab, "position": 32, "token_type": 2}
    tensors = {f"embeddings.{name}_embeddings.weight": (size, HIDDEN) for name, size in shapes.items()}
    state = {name: torch.randn(shape, generator=generator) * 0.2 for name, shape in tensors.items()}
    norms = ["embeddings.LayerNorm"]
    for row in range(ROWS):
        below = f"encoder.layer.{row}."
        linears = {
            **{f"attention.self.{part}": (HIDDEN, HIDDEN) for part in ("query", "key", "value")},
            "attention.output.dense": (HIDDEN, HIDDEN),
            "intermediate.dense": (FFN, HIDDEN),
            "output.dense": (HIDDEN, FFN),
        }
        for name, shape in linears.items():
            state[f"{below}{name}.weight"] = torch.randn(shape, generator=generator) * 0.2
            state[f"{below}{name}.bias"] = torch.zeros(shape[0])
        norms += [f"{below}attention.output.LayerNorm", f"{below}output.LayerNorm"]
    for norm in norms:
        state[f"{norm}.weight"], state[f"{norm}.bias"] = torch.ones(HIDDEN), torch.zeros(HIDDEN)
    return state


def rows(count: int = 400, seed: int = 0) -> tuple[Row, ...]:
    """Texts of filler words around one clue, labelled by the clue."""
    rng = random.Random(seed)
    made = {}
    while len(made) < count:
        label = rng.choice(list(CLUES))
        words = rng.choices(FILLERS, k=rng.randint(3, 9))
        words.insert(rng.randint(0, len(words)), rng.choice(CLUES[label]))
        made.setdefault(" ".join(words), label)
    return tuple(Row(text, label) for text, label in made.items())


def write_rows(path: Path, made: tuple[Row, ...]) -> Path:
    path.write_text("".join(json.dumps({"text": row.text, "label": row.label}) + "\n" for row in made))
    return path


def cpu() -> Compute:
    """fp32 on the CPU: the same on every machine."""
    return Compute.of("cpu").exact()


def settings(**changes: object) -> DistillSettings:
    return parse_settings(DistillSettings, {**QUICK, **changes})


def sources(folder: Path) -> Sources:
    return Sources(teacher=find_checkpoint(str(write_checkpoint(folder))), rows=Dataset("tiny", rows()))


def tiny_run(folder: Path, chosen: DistillSettings | None = None, report: Reporter | None = None) -> Run:
    """A run whose stages can be called one by one."""
    made, chosen = sources(folder / "teacher"), chosen or settings()
    stages = Stages(folder / "work", "f" * 64)
    stages.open()
    return Run("f" * 64, made, chosen, prepare(made.rows, chosen.split), cpu(), stages, report or Silent())


class Lessons:
    """A fine-tuned teacher and what it says, once for a module's tests; states after every chunk are kept."""

    def __init__(self, folder: Path, *, hidden: str = "none") -> None:
        self.run = student_run(folder, hidden=hidden)
        self.teacher, tokenizer = untaught(self.run, self.run.settings.seed)
        self.transfer, self.validation = teach(self.run, self.teacher, tokenizer)
        self.history = self.run.curves["teacher"]

    def targets(self, hidden: str) -> tuple[Taught, Taught]:
        """Transfer text and validation rows with the hidden states that a setting asks for."""
        kept = {"none": slice(0, 0), "last": slice(-1, None), "chunk": slice(None)}[hidden]
        transfer, validation = (replace(each, hidden=each.hidden[kept]) for each in (self.transfer, self.validation))
        return transfer, validation


def student_run(folder: Path, **students: object) -> Run:
    """A run with other settings of its students."""
    return tiny_run(folder, settings(students={**QUICK["students"], **students}))
