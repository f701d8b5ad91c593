"""Prefix weights: a row for every number of students, and nothing counts before its turn."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from phalanx_grid.readout import pooled_sum, prefix_sums, prefix_weights

SIZES = st.integers(1, 5)
SEEDS = st.integers(0, 999)


@settings(deadline=None)
@given(SIZES, SEEDS)
def test_a_prefix_is_the_weighted_sum_of_its_students_alone(students: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    weights = torch.rand(students, students, generator=generator).tril()
    logits = torch.randn(students, 2, 3, generator=generator)
    for k in range(1, students + 1):
        expected = sum(float(weights[k - 1, m]) * logits[m] for m in range(k))
        torch.testing.assert_close(prefix_sums(logits, weights)[k - 1], expected)
        torch.testing.assert_close(prefix_sums(logits[:k], weights)[-1], expected)
        torch.testing.assert_close(pooled_sum(logits[:k], weights), expected)


@settings(deadline=None)
@given(SIZES, SEEDS)
def test_one_weight_for_each_student_holds_in_every_prefix(students: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    each, logits = torch.rand(students, generator=generator), torch.randn(students, 2, 3, generator=generator)
    summed = (each[:, None, None] * logits).cumsum(0)
    torch.testing.assert_close(prefix_sums(logits, prefix_weights(each)), summed)


def test_sums_keep_their_precision_where_products_are_rounded() -> None:
    logits, weights = torch.full((1, 1, 2), 1.001), torch.ones(1, 1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(prefix_sums(logits, weights), logits)


@pytest.mark.parametrize("shape", [(), (0,), (2, 3), (3, 2), (2, 2, 2)])
def test_weights_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"are neither \[K\] nor \[K, K\]"):
        prefix_weights(torch.ones(shape))


def test_a_student_cannot_count_in_a_prefix_that_it_is_not_in() -> None:
    with pytest.raises(ValueError, match="counts before it answers"):
        prefix_weights(torch.ones(2, 2))
