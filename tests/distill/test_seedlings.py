"""Where students start: which of the teacher's rows, and with what head."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from phalanx_distill.config import StudentSettings, parse_settings
from phalanx_distill.errors import SettingError
from phalanx_distill.seedlings import own_parameters, rows_of, seedling
from phalanx_distill.students import check_students
from phalanx_grid import Batch, Grid, import_checkpoint
from tests.distill import tiny


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Grid:
    folder: Path = tmp_path_factory.mktemp("teacher")
    return import_checkpoint(tiny.write_checkpoint(folder / "t"), classes=2, labels=("a", "b"))[0]


def students(**changes: object) -> StudentSettings:
    return parse_settings(StudentSettings, changes)


def rows(start: object, *, depth: int, teacher_rows: int = 6, students_seen: int = 3) -> list[tuple[int, ...]]:
    settings = students(rows_from=start)
    return [rows_of(settings, index, depth=depth, teacher_rows=teacher_rows) for index in range(students_seen)]


def test_a_start_is_a_row_to_go_on_from_rows_spread_evenly_or_rows_one_by_one() -> None:
    assert rows(1, depth=2) == [(1, 2)] * 3
    assert rows("spread", depth=3) == [(0, 2, 4)] * 3
    assert rows("spread", depth=2, teacher_rows=12) == [(0, 6)] * 3
    assert rows([0, "spread", [5, 1]], depth=2) == [(0, 1), (0, 3), (5, 1)]
    assert rows("staggered", depth=3, students_seen=4) == [(0, 2, 4), (1, 3, 5), (0, 1, 2), (0, 2, 4)]
    assert rows("staggered", depth=2, students_seen=4) == [(0, 3), (1, 4), (2, 5), (0, 1)]
    assert rows("staggered", depth=4, students_seen=3) == [(0, 1, 3, 4), (0, 1, 2, 3), (0, 1, 3, 4)]


def test_the_last_start_holds_for_all_further_students() -> None:
    assert rows([0, 2], depth=2, students_seen=4) == [(0, 1), (2, 3), (2, 3), (2, 3)]


@given(st.integers(1, 24), st.integers(0, 40), st.data())
def test_staggered_rows_ascend_within_the_teacher(teacher_rows: int, student: int, data: st.DataObject) -> None:
    depth = data.draw(st.integers(1, teacher_rows))
    chosen = rows_of(students(rows_from="staggered"), student, depth=depth, teacher_rows=teacher_rows)
    assert list(chosen) == sorted(set(chosen))
    assert len(chosen) == depth and set(chosen) <= set(range(teacher_rows))


@given(st.integers(1, 24), st.data())
def test_spread_rows_ascend_from_the_first_row(teacher_rows: int, data: st.DataObject) -> None:
    depth = data.draw(st.integers(1, teacher_rows))
    (chosen,) = rows("spread", depth=depth, teacher_rows=teacher_rows, students_seen=1)
    assert chosen[0] == 0
    assert list(chosen) == sorted(set(chosen))
    assert len(chosen) == depth and chosen[-1] < teacher_rows


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"rows": 2, "rows_from": [0, 5]}, r"students\.rows_from: rows \[5, 6\] of a teacher that has 0\.\.5"),
        ({"rows": 2, "rows_from": [[0, 1, 2]]}, r"students\.rows_from: 3 rows for a student of 2: \[0, 1, 2\]"),
        ({"rows": "auto", "rows_from": [[0, 1]]}, r"students\.rows_from: 2 rows for a student of 1"),
        ({"rows": 7, "rows_from": "spread"}, r"students\.rows: 7, but the teacher has 6; take fewer"),
        ({"target": "teacher", "weight": "stagewise"}, r"students\.weight: stagewise weights need .*residual"),
    ],
)
def test_what_does_not_go_together_is_refused_by_name(changes: dict[str, object], says: str) -> None:
    with pytest.raises(SettingError, match=says):
        check_students(students(**changes), 6)


def test_a_silent_seedling_says_nothing_so_that_it_starts_from_the_residual(teacher: Grid) -> None:
    silent = seedling(teacher, (2, 0), silent=True)
    assert silent.geometry.rows == 2
    assert not silent(Batch.pad([[2, 5, 3]], 0)).prefix_logits.any()
    ours, theirs = silent.state_dict(), teacher.state_dict()
    assert torch.equal(ours["rows.0.qkv.weight"], theirs["rows.2.qkv.weight"])
    assert torch.equal(ours["rows.1.qkv.weight"], theirs["rows.0.qkv.weight"])


def test_a_seedling_trains_all_but_the_embeddings_unless_asked(teacher: Grid) -> None:
    grid = seedling(teacher, (0,), silent=False)
    names = own_parameters(grid).keys()
    assert not [name for name in names if name.startswith("embeddings.")]
    more = own_parameters(grid, embeddings=True).keys()
    assert {name.partition(".")[0] for name in more - names} == {"embeddings"}
