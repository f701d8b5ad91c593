"""The page: one HTML file that needs nothing else, neither network nor script."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from phalanx_distill.report.blocks import Section
from phalanx_distill.report.document import Report
from phalanx_distill.report.headline import costs_of_k, origin, tiles
from phalanx_distill.report.sections.accuracy import TONES, accuracy_section
from phalanx_distill.report.sections.calibration import calibration_section
from phalanx_distill.report.sections.classes import classes_section
from phalanx_distill.report.sections.data import data_section
from phalanx_distill.report.sections.exits import exits_section
from phalanx_distill.report.sections.learning import learning_section
from phalanx_distill.report.sections.price import price_section
from phalanx_distill.report.sections.serving import serving_section
from phalanx_distill.report.sections.settings import provenance_section, settings_section
from phalanx_distill.report.sections.shapes import shapes_section
from phalanx_distill.report.verdict import verdict

NO_TEXTS: Final[Mapping[int, str]] = {}


def render(report: Report, texts: Mapping[int, str] = NO_TEXTS) -> str:
    """The page of a report; the same report gives the same bytes.

    `texts` are held-out texts by their row in the test part: those on which teacher and ensemble differ are shown.
    """
    found = verdict(report)
    return (
        _environment()
        .get_template("page.html")
        .render(
            title=f"{'Adapter' if report.kind == 'adapter' else 'Distillation'} of {report.data.name}",
            origin=origin(report),
            verdict=found,
            tone=TONES[found.standing],
            tiles=tiles(report),
            costs=costs_of_k(report),
            warnings=report.notes.warnings,
            sections=sections(report, texts),
        )
    )


def sections(report: Report, texts: Mapping[int, str] = NO_TEXTS) -> list[Section]:
    """What there is to say, in the order in which it is read."""
    found = (
        accuracy_section(report),
        shapes_section(report),
        learning_section(report),
        classes_section(report, texts),
        calibration_section(report),
        price_section(report),
        exits_section(report),
        data_section(report),
        settings_section(report),
        provenance_section(report),
        serving_section(report),
    )
    return [section for section in found if section is not None]


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("phalanx_distill.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["drawing"] = Markup  # our own SVG, which holds no text from data
    return environment
