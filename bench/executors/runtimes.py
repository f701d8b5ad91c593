"""The grid in other runtimes: exported once for each number of students, run by ONNX Runtime and OpenVINO."""

from __future__ import annotations

import importlib.util
import logging
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from phalanx_grid import Batch, Grid, cut

Call = Callable[[], Tensor]
"""Runs one batch to its logits [N, C]."""
Runtime = Callable[[Batch], Call]


class _Unrolled(nn.Module):
    """The first k students one by one, so that a runtime sees plain products of matrices."""

    def __init__(self, grid: Grid, students: int) -> None:
        super().__init__()
        self.parts = nn.ModuleList(cut(grid, students=[student]) for student in range(students))

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        batch = Batch(ids, mask.bool())
        logits: Tensor = sum((part(batch).prefix_logits[-1] for part in self.parts), torch.zeros(()))
        return logits


def runtimes(grid: Grid, students: int, *, threads: int, folder: Path) -> Mapping[str, Runtime]:
    """What is installed, by name and number format."""
    if not all(map(importlib.util.find_spec, ("onnx", "onnxscript"))):
        return {}
    path = _exported(grid, students, folder)
    found: dict[str, Runtime] = {}
    if importlib.util.find_spec("onnxruntime"):
        found["onnxruntime_fp32"] = _onnxruntime(path, threads)
        found["onnxruntime_int8"] = _onnxruntime(_quantised(path), threads)
    if importlib.util.find_spec("openvino"):
        found["openvino_fp32"] = _openvino(path, threads, "f32")
        found["openvino_bf16"] = _openvino(path, threads, "bf16")
    return found


def _exported(grid: Grid, students: int, folder: Path) -> Path:
    path = folder / f"hidden{grid.geometry.hidden}-k{students}.onnx"
    if path.exists():
        return path
    ids, mask = torch.ones(2, 7, dtype=torch.int64), torch.ones(2, 7, dtype=torch.int64)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    open_sizes = {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own deprecations
        torch.onnx.export(
            _Unrolled(grid, students).eval(), (ids, mask), path, input_names=["ids", "mask"], output_names=["logits"],
            dynamo=True, dynamic_shapes=(open_sizes, open_sizes), external_data=False, verbose=False,
        )  # fmt: skip
    return path


def _quantised(path: Path) -> Path:
    from onnxruntime.quantization import QuantType, quantize_dynamic

    target = path.with_suffix(".int8.onnx")
    if not target.exists():
        logging.disable(logging.WARNING)
        quantize_dynamic(path, target, weight_type=QuantType.QInt8, per_channel=True)
        logging.disable(logging.NOTSET)
    return target


def _onnxruntime(path: Path, threads: int) -> Runtime:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return _fed(lambda inputs: session.run(["logits"], inputs)[0])


def _openvino(path: Path, threads: int, precision: str) -> Runtime:
    import openvino

    hints = {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": precision, "PERFORMANCE_HINT": "LATENCY"}
    request = openvino.Core().compile_model(path, "CPU", hints).create_infer_request()
    return _fed(lambda inputs: request.infer(inputs)["logits"])


def _fed(infer: Callable[[dict[str, Any]], Any]) -> Runtime:
    def runtime(batch: Batch) -> Call:
        inputs = {"ids": batch.ids.numpy(), "mask": batch.mask.long().numpy()}
        return lambda: torch.from_numpy(infer(inputs))

    return runtime
