"""Shapes of graphs: every batch finds the smallest that takes it, and nothing beyond the bounds has one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from phalanx_grid.execution.cuda.buckets import LENGTHS, TEXTS, Bucket, Buckets

grids = st.builds(Buckets, students=st.integers(1, 12), max_tokens=st.integers(2, 1024))


@given(grids, st.data())
def test_a_bucket_takes_its_batch_and_no_smaller_one_would(buckets: Buckets, data: st.DataObject) -> None:
    k = data.draw(st.integers(1, buckets.students))
    n, length = data.draw(st.integers(1, 80)), data.draw(st.integers(1, buckets.max_tokens))
    bucket = buckets.of(students=k, texts=n, length=length, full=False)
    fitting = [
        Bucket(k, texts, tokens)
        for texts in TEXTS
        for tokens in buckets.lengths
        if texts >= n and tokens >= length and k * texts * tokens <= buckets.student_tokens
    ]
    if bucket is None:
        smallest = min((f.student_tokens for f in fitting), default=None)
        assert smallest is None or n > TEXTS[-1]
    else:
        assert bucket.texts >= n
        assert bucket.length >= length
        assert all(bucket.texts <= other.texts and bucket.length <= other.length for other in fitting)


@given(grids, st.data())
def test_only_a_batch_that_fills_its_bucket_goes_without_a_mask(buckets: Buckets, data: st.DataObject) -> None:
    n, length = data.draw(st.integers(1, 64)), data.draw(st.integers(1, buckets.max_tokens))
    bucket = buckets.of(students=1, texts=n, length=length, full=True)
    if bucket is not None:
        assert bucket.full == ((bucket.texts, bucket.length) == (n, length))


@given(grids)
def test_lengths_rise_and_stay_within_the_model(buckets: Buckets) -> None:
    assert list(buckets.lengths) == sorted(set(buckets.lengths))
    assert buckets.lengths[-1] <= buckets.max_tokens
    assert buckets.lengths[-1] == min(buckets.max_tokens, LENGTHS[-1])


@given(grids)
def test_warm_up_starts_with_one_short_text_at_all_students_and_repeats_nothing(buckets: Buckets) -> None:
    order = buckets.to_warm()
    assert order[0] == Bucket(buckets.students, 1, min(16, buckets.max_tokens))
    assert len(set(order)) == len(order)
    assert all(bucket.student_tokens <= buckets.student_tokens for bucket in order)
    sizes = [bucket.texts * bucket.length for bucket in order]
    assert sizes == sorted(sizes)


@given(grids, st.data())
def test_what_is_warm_is_what_batches_ask_for(buckets: Buckets, data: st.DataObject) -> None:
    order = buckets.to_warm()
    bucket = data.draw(st.sampled_from(order))
    found = buckets.of(students=bucket.students, texts=bucket.texts, length=bucket.length, full=False)
    assert found == bucket
