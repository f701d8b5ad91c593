"""What a geometry and its labels may be."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given

from phalanx_grid import Geometry, Grid
from tests.grid.builders import MPNET, geometries, geometry


@given(geometries())
def test_a_geometry_survives_json(shape: Geometry) -> None:
    assert msgspec.json.decode(msgspec.json.encode(shape), type=Geometry) == shape


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"heads": 3}, "hidden 16 is not a multiple of heads 3"),
        ({"pad_id": 50}, "pad_id 50 is outside of vocab 50"),
        ({"position_offset": 28}, "leaves none of 28 positions"),
        ({"relative_buckets": 32}, "relative_buckets belongs to family mpnet"),
        ({**MPNET, "relative_buckets": 0}, "relative_buckets belongs to family mpnet"),
        ({**MPNET, "relative_buckets": 6}, "not a multiple of 4"),
        ({**MPNET, "position_offset": 0}, "is not pad_id"),
    ],
)
def test_numbers_that_do_not_fit_together_are_refused(changes: dict[str, object], message: str) -> None:
    fields = msgspec.to_builtins(geometry()) | changes
    with pytest.raises(msgspec.ValidationError, match=message):
        msgspec.convert(fields, Geometry)


@pytest.mark.parametrize("field", ["students", "rows", "hidden", "vocab", "ffn", "max_positions"])
@pytest.mark.parametrize("value", [0, -1, 10**9, 2.5, "3", None])
def test_sizes_out_of_bounds_are_refused_with_their_name(field: str, value: object) -> None:
    with pytest.raises(msgspec.ValidationError, match=rf"\$\.{field}"):
        msgspec.convert(msgspec.to_builtins(geometry()) | {field: value}, Geometry)


def test_classes_without_labels_are_numbered() -> None:
    assert Grid.from_geometry(geometry(classes=2)).labels == ("LABEL_0", "LABEL_1")


@pytest.mark.parametrize(
    ("labels", "message"),
    [(["a"], "1 labels for 2 classes"), (["a", "a"], "'a' stands twice"), (["a", ""], "a label is empty")],
)
def test_labels_that_do_not_name_the_classes_are_refused(labels: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Grid.from_geometry(geometry(classes=2), labels)
