"""How a pass on a CPU is cut and dealt: nothing is lost, nothing is done twice, and threads are used evenly."""

from __future__ import annotations

import threading

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from phalanx_grid import Batch
from phalanx_grid.execution.cpu.crew import Crew
from phalanx_grid.execution.cpu.deal import PART_TOKENS, parts, waves
from phalanx_grid.execution.cpu.packing import pack, unpack
from phalanx_grid.execution.threads import use_threads
from tests.grid.builders import texts

THREADS = st.integers(1, 16)


@given(st.integers(0, 40), THREADS)
def test_waves_run_every_unit_exactly_once(units: int, threads: int) -> None:
    dealt = [unit for wave in waves(units, threads) for lane in range(wave.width) for unit in wave.lane(lane)]
    assert sorted(dealt) == list(range(units))


@given(st.integers(1, 40), THREADS)
def test_a_wave_never_uses_more_threads_than_there_are_and_leaves_fewer_idle_than_it_has_lanes(
    units: int, threads: int
) -> None:
    for wave in waves(units, threads):
        assert wave.width * wave.threads <= threads
        assert threads - wave.width * wave.threads < wave.width


@given(st.integers(1, 40), THREADS)
def test_lanes_of_a_wave_have_equally_many_units(units: int, threads: int) -> None:
    for wave in waves(units, threads):
        assert len({len(wave.lane(lane)) for lane in range(wave.width)}) == 1


@given(st.integers(1, 8), st.integers(1, 64), st.integers(1, 512), THREADS)
def test_a_batch_is_cut_only_into_parts_that_are_worth_it(students: int, count: int, length: int, threads: int) -> None:
    cut = parts(students, texts=count, tokens=count * length, threads=threads)
    assert 1 <= cut <= count
    assert cut == 1 or count * length >= cut * PART_TOKENS


@given(st.integers(1, 8), THREADS)
def test_a_large_batch_fills_the_threads_evenly(students: int, threads: int) -> None:
    cut = parts(students, texts=64, tokens=64 * 64, threads=threads)
    assert students * cut % threads == 0


@given(texts(max_size=12), st.integers(1, 5))
def test_packing_loses_no_token_and_mixes_no_texts(sequences: list[list[int]], count: int) -> None:
    batch = Batch.pad(sequences, 0)
    packings = pack(batch, count)
    assert len(packings) <= count
    found: dict[int, list[int]] = {}
    for packing in packings:
        ids = packing.take(batch.ids.flatten()[:, None])[:, 0].tolist()
        places = iter(packing.order.tolist())
        for group in packing.groups:
            for start in range(group.start, group.stop, group.length):
                found[next(places)] = ids[start : start + group.length]
    assert [found[place] for place in range(len(sequences))] == sequences


@given(texts(max_size=12), st.integers(1, 5))
def test_unpacking_brings_vectors_back_into_the_order_of_the_batch(sequences: list[list[int]], count: int) -> None:
    batch = Batch.pad(sequences, 0)
    packings = pack(batch, count)
    first = [packing.pool(packing.take(batch.ids.flatten()[:, None].float()), "cls")[None] for packing in packings]
    assert unpack(first, packings)[0, :, 0].tolist() == [sequence[0] for sequence in sequences]


def test_parts_have_about_equally_many_tokens() -> None:
    batch = Batch.pad([[1] * length for length in range(1, 65)], 0)
    tokens = [sum(group.count * group.length for group in packing.groups) for packing in pack(batch, 4)]
    assert max(tokens) - min(tokens) < 2 * 64


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_a_crew_gives_results_in_order_and_leaves_torchs_threads_as_they_were(threads: int) -> None:
    crew, before = Crew(threads), torch.get_num_threads()
    results = crew.run([lambda number=number: torch.tensor(number) for number in range(7)])
    assert [int(result) for result in results] == list(range(7))
    assert torch.get_num_threads() == before


def test_lanes_run_in_inference_mode_with_torchs_threads_shared_out() -> None:
    def seen() -> torch.Tensor:
        return torch.tensor([torch.get_num_threads(), int(torch.is_inference_mode_enabled())])

    assert [result.tolist() for result in Crew(2).run([seen] * 5)] == [[1, 1]] * 4 + [[2, 1]]


@pytest.mark.parametrize("bad", range(3))
def test_what_a_unit_raises_is_raised_after_the_others_have_ended(bad: int) -> None:
    ended: list[int] = []

    def unit(number: int) -> torch.Tensor:
        if number == bad:
            raise ArithmeticError(str(number))
        ended.append(number)
        return torch.tensor(number)

    crew, before = Crew(3), torch.get_num_threads()
    with pytest.raises(ArithmeticError, match=str(bad)):
        crew.run([lambda number=number: unit(number) for number in range(3)])
    assert sorted(ended) == [number for number in range(3) if number != bad]
    assert torch.get_num_threads() == before


def test_a_thread_keeps_the_number_of_threads_that_it_was_given() -> None:
    given, others_set, seen = threading.Event(), threading.Event(), []

    def worker() -> None:
        use_threads(3)
        given.set()
        others_set.wait(10)
        seen.append(torch.get_num_threads())

    before, thread = torch.get_num_threads(), threading.Thread(target=worker)
    thread.start()
    given.wait(10)
    torch.set_num_threads(1)
    others_set.set()
    thread.join(10)
    torch.set_num_threads(before)
    assert seen == [3]
