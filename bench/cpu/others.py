"""The encoder outside this engine: ids and mask, int64 [N, S], to the mean of the last states, float32 [N, H]."""

from __future__ import annotations

import importlib.util
import logging
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Final

import torch
import transformers as hf
from torch import Tensor, nn

Pooled = Callable[[Tensor, Tensor], Tensor]
_NEEDED: Final = ("onnx", "onnxscript", "onnxruntime")
_OPSET: Final = 23
"""The first with an operator for attention, so that ONNX Runtime gets it in one piece."""


class _Mean(nn.Module):
    """As sentence-transformers pools."""

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        states = self.encoder(input_ids=ids, attention_mask=mask).last_hidden_state.float()
        tokens = mask.unsqueeze(-1).float()
        mean: Tensor = (states * tokens).sum(1) / tokens.sum(1)
        return mean


def transformers(checkpoint: Path, dtype: torch.dtype) -> Pooled:
    """In transformers, as its own defaults have it."""
    hf.logging.set_verbosity_error()
    hf.logging.disable_progress_bar()
    encoder = hf.AutoModel.from_pretrained(checkpoint, add_pooling_layer=False, dtype=dtype)
    return _Mean(encoder).eval()


def onnx_runtime(checkpoint: Path, folder: Path, threads: int) -> dict[str, Pooled]:
    """In ONNX Runtime by number format; none where it is not installed."""
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        print(f"ONNX Runtime takes no part: pip install {' '.join(missing)}")
        return {}
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"encoder-{torch.__version__}-{hf.__version__}-opset{_OPSET}.onnx"
    if not path.exists():
        _export(checkpoint, path)
    eight_bits = path.with_suffix(".int8.onnx")
    if not eight_bits.exists():
        _quantise(path, eight_bits)
    return {"fp32": _session(path, threads), "int8": _session(eight_bits, threads)}


def _export(checkpoint: Path, path: Path) -> None:
    module = transformers(checkpoint, torch.float32)
    assert isinstance(module, nn.Module)
    sizes = {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC}
    example = torch.full((2, 7), 5), torch.ones(2, 7, dtype=torch.int64)
    part = path.with_suffix(".part")
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own deprecations
        torch.onnx.export(
            module, example, part, input_names=["ids", "mask"], output_names=["pooled"], dynamo=True,
            dynamic_shapes=(sizes, sizes), opset_version=_OPSET, external_data=False, verbose=False,
        )  # fmt: skip
    part.replace(path)


def _quantise(path: Path, target: Path) -> None:
    from onnxruntime.quantization import QuantType, quantize_dynamic

    part = target.with_suffix(".part")
    logging.disable(logging.WARNING)
    # Matrices alone: it takes the standard's attention for an operator of its own that happens to have the same name.
    quantize_dynamic(path, part, op_types_to_quantize=["MatMul"], weight_type=QuantType.QInt8, per_channel=True)
    logging.disable(logging.NOTSET)
    part.replace(target)


def _session(path: Path, threads: int) -> Pooled:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.add_session_config_entry("session.force_spinning_stop", "1")
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def pooled(ids: Tensor, mask: Tensor) -> Tensor:
        return torch.from_numpy(session.run(["pooled"], {"ids": ids.numpy(), "mask": mask.numpy()})[0])

    return pooled
