"""The page says everything, shows nothing that it was not asked for, and stands alone."""

from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser

import msgspec
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from phalanx_contract.limits import MAX_NAME
from phalanx_distill.report.blocks import Prose, Table
from phalanx_distill.report.charts.learning import curves_of
from phalanx_distill.report.document import Notes, Report
from phalanx_distill.report.page import render
from phalanx_distill.report.sections.classes import classes_section
from phalanx_distill.report.sections.learning import learning_section
from phalanx_distill.report.sections.price import price_section
from phalanx_distill.report.sections.serving import resource_name, serving_section
from phalanx_operator.api.parse import parse_adapter, parse_ensemble
from tests.distill.reports import DIGEST, LABELS, adapter_report, ensemble_report, searched_report

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</style></svg><iframe src=//evil.example>",
    "{{ 7 * 7 }}{% raw %}",
    "$\\frac{$ 日本",
)
SECTIONS = [
    "accuracy",
    "learning",
    "classes",
    "calibration",
    "cost",
    "exits",
    "data",
    "settings",
    "provenance",
    "serving",
]
NEVER = {"script", "img", "iframe", "link", "object", "embed", "image", "foreignobject", "form", "base"}


class Page(HTMLParser):
    """A page as a browser would take it apart."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        self.text += " " if tag in ("td", "th") else ""

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, *names: str) -> list[dict[str, str]]:
        return [attrs for tag, attrs in self.tags if tag in names]


def anchors(page: Page) -> list[str]:
    return [attrs["id"] for attrs in page.all("section")]


def test_the_curves_of_all_teachers_are_shown_where_there_were_several() -> None:
    report = ensemble_report()
    report.curves["teacher-2"] = report.curves["teacher-3"] = report.curves["teacher"]
    shown = render(report)
    for title in ("Teacher: 3 epochs", "Teacher 2: 3 epochs", "Teacher 3: 3 epochs"):
        assert title in shown
    assert {"Teacher", "Teacher 2", "Teacher 3"} <= {curve.title for curve in curves_of(report.curves)}


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (ensemble_report, ["verdict", *SECTIONS]),
        (searched_report, ["verdict", "accuracy", "shapes", *SECTIONS[1:]]),
        (adapter_report, ["verdict", *(name for name in SECTIONS if name != "exits")]),
    ],
)
def test_a_page_has_every_section_that_its_kind_of_run_has_in_order(
    make: Callable[[], Report], expected: list[str]
) -> None:
    page = Page(render(make()))
    assert anchors(page) == expected
    assert [attrs["href"] for attrs in page.all("a")] == [f"#{name}" for name in expected[1:]]


def test_the_figures_of_the_report_stand_on_the_page() -> None:
    text = Page(render(ensemble_report())).text
    for expected in ("200 held-out rows", "9.00 ms", "1 min 02 s", "13.7", "2,000", "settings that are not"):
        assert expected.lower() in text.lower(), expected
    assert re.search(r"seed\s+7\s+0", text)  # a setting, its value and its default
    assert DIGEST in text


def test_the_shapes_that_were_tried_say_which_was_chosen() -> None:
    text = Page(render(searched_report())).text
    assert re.search(r"2\s+2\s+−0\.4\s+21\.0 s\s+chosen", text)
    assert re.search(r"1\s+2\s+−2\.1\s+40\.0 s", text)


def test_a_price_is_told_as_a_share_of_the_teachers_time() -> None:
    table = next(block for block in price_section(ensemble_report()).blocks if isinstance(block, Table))
    at = table.head.index("teacher's time")
    assert [row.cells[at].text for row in table.rows] == ["1.00 x", "0.33 x", "0.44 x", "0.56 x"]


def test_the_class_that_is_least_agreed_on_comes_first() -> None:
    report = ensemble_report()
    detail = report.notes.detail
    assert detail is not None
    table = next(block for block in classes_section(report, {}).blocks if isinstance(block, Table))
    shares = {LABELS[entry.label]: entry.agreeing / entry.rows for entry in detail.classes}
    assert len(set(shares.values())) == 3
    assert [row.cells[0].text for row in table.rows] == sorted(shares, key=lambda label: shares[label])


@pytest.mark.parametrize(("left", "said"), [((0.5, 0.4, 0.3), True), ((0.5, 0.4, 0.6), False)])
def test_students_that_only_learn_the_transfer_text_by_heart_are_told(left: tuple[float, ...], said: bool) -> None:
    """On validation rows the second is the best; `left` is what each leaves of transfer text."""
    report = ensemble_report()
    students = [
        msgspec.structs.replace(student, train_residual=train, validation_residual=validation)
        for student, train, validation in zip(report.students, left, (0.6, 0.5, 0.55), strict=True)
    ]
    blocks = learning_section(msgspec.structs.replace(report, students=students)).blocks
    found = [block.text for block in blocks if isinstance(block, Prose)]
    assert bool(found) is said
    assert all(text.startswith("After student 2 the residual goes on to fall on transfer text") for text in found)


def test_a_report_of_an_earlier_release_says_what_it_did_not_record() -> None:
    report = ensemble_report()
    bare = msgspec.structs.replace(
        report, notes=Notes(), measured=msgspec.structs.replace(report.measured, pairs=()), files={}
    )
    page = Page(render(bare))
    assert anchors(page) == ["verdict", *SECTIONS]
    assert page.text.count("did not record") == 5
    assert "Not compared" in page.text or "not compared" in page.text


def hostile_report() -> Report:
    report = ensemble_report(labels=HOSTILE, name=HOSTILE[0])
    report.notes.transfer_sources = {HOSTILE[1]: 3}
    return msgspec.structs.replace(
        report,
        source={"name": HOSTILE[2], HOSTILE[1]: HOSTILE[0]},
        settings={HOSTILE[0]: {HOSTILE[1]: HOSTILE[2]}},
        versions={"phalanx": HOSTILE[1]},
        seconds={HOSTILE[2]: 1.0},
        files={HOSTILE[0]: HOSTILE[1]},
    )


def test_hostile_labels_names_and_texts_stay_text() -> None:
    report = hostile_report()
    assert report.notes.detail is not None
    texts = {entry.row: HOSTILE[at % len(HOSTILE)] for at, entry in enumerate(report.notes.detail.differing)}
    page = Page(render(report, texts))
    assert not NEVER & {tag for tag, _ in page.tags}
    assert not [name for _, attrs in page.tags for name in attrs if name.startswith("on")]
    for said in HOSTILE:
        assert said in page.text


@pytest.mark.parametrize("make", [ensemble_report, searched_report, adapter_report])
def test_a_page_loads_nothing_and_runs_nothing(make: Callable[[], Report]) -> None:
    made = render(make())
    page = Page(made)
    assert "http:" not in made
    assert "https:" not in made
    assert "@import" not in made
    assert all(target.startswith("#") for target in re.findall(r"url\(([^)]*)\)", made))
    for _, attrs in page.tags:
        assert attrs.get("href", "#").startswith("#")
        assert attrs.get("xlink:href", "#").startswith("#")
        assert "src" not in attrs
    assert not NEVER & {tag for tag, _ in page.tags}
    policy = next(attrs for attrs in page.all("meta") if "http-equiv" in attrs)
    assert policy["content"].startswith("default-src 'none'")


@pytest.mark.parametrize("make", [ensemble_report, searched_report, adapter_report])
def test_a_page_can_be_read_without_seeing_it(make: Callable[[], Report]) -> None:
    page = Page(render(make()))
    identifiers = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(identifiers) == len(set(identifiers))
    for attrs in page.all("section"):
        assert attrs["aria-labelledby"] in identifiers
    used = [attrs["xlink:href"].removeprefix("#") for attrs in page.all("use")]
    assert set(used) <= set(identifiers)
    drawings = [attrs for attrs in page.all("div") if attrs.get("role") == "img"]
    assert len(drawings) == len(page.all("svg"))
    assert all(len(attrs["aria-label"]) > 20 for attrs in drawings)
    assert len(page.all("table")) == len(page.all("caption"))
    assert all(attrs.get("scope") in ("row", "col") for attrs in page.all("th"))
    assert page.all("html") == [{"lang": "en"}]
    assert len(page.all("h1")) == 1


@pytest.mark.parametrize("make", [ensemble_report, adapter_report])
def test_the_same_report_gives_the_same_bytes_also_after_it_was_stored(make: Callable[[], Report]) -> None:
    once = render(make())
    assert render(make()) == once
    assert render(msgspec.json.decode(msgspec.json.encode(make()), type=Report)) == once


def test_texts_are_shown_only_where_they_are_given() -> None:
    report = ensemble_report()
    assert report.notes.detail is not None
    row = report.notes.detail.differing[0].row
    assert "Held-out texts on which they differ" not in render(report)
    shown = Page(render(report, {row: "a private sentence"})).text
    assert "Held-out texts on which they differ" in shown
    assert "a private sentence" in shown


@pytest.mark.parametrize(("students", "classes"), [(1, 2), (12, 60), (32, 3)])
def test_few_and_many_students_and_classes_make_a_page(students: int, classes: int) -> None:
    report = ensemble_report(students=students, labels=tuple(f"class {at}" for at in range(classes)))
    text = Page(render(report)).text
    assert f"all {students} student" in text.lower()
    assert ("classes are left out" in text) == (classes > 25)


def test_the_resource_on_the_page_is_one_that_the_operator_takes() -> None:
    for report, parse in (
        (ensemble_report(name="Movie Reviews.csv"), parse_ensemble),
        (adapter_report(), parse_adapter),
    ):
        code = next(block for block in serving_section(report).blocks if block.kind == "code")
        resource = yaml.safe_load(code.text)
        if report.kind == "adapter":
            resource["spec"]["ensemble"] = resource["spec"]["ensemble"].lower()
        resource["metadata"] |= {"namespace": "default", "uid": "u", "generation": 1}
        parsed = parse(resource)
        assert parsed.artifact.digest == DIGEST


@given(st.text())
def test_any_name_of_a_data_set_gives_a_name_that_kubernetes_takes(name: str) -> None:
    found = resource_name(name)
    assert len(found) <= MAX_NAME
    assert re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", found)
