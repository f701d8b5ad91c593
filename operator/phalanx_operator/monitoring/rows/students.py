"""How many students answer, where texts exit, and what that costs in accuracy. Pure."""

from __future__ import annotations

from typing import Final

from phalanx_contract import metrics as worker
from phalanx_operator.monitoring.ensembles import NAMED, WITH, gauge_of, rate_of, share_of
from phalanx_operator.monitoring.panels import Panel, Query
from phalanx_operator.monitoring.promql import BY_ENSEMBLE, rate
from phalanx_operator.monitoring.variables import ENSEMBLES, W

PANELS: Final = (
    Panel(
        title="Students: floor, ceiling, used",
        description="The operator's range, and the mean of what the workers' latest batches used within it.",
        unit="short",
        queries=(
            Query(expr=gauge_of("avg", worker.STUDENTS), legend=f"used {NAMED}"),
            Query(expr=gauge_of("max", worker.STUDENTS_CEILING), legend=f"ceiling {NAMED}"),
            Query(expr=gauge_of("max", worker.STUDENTS_FLOOR), legend=f"floor {NAMED}"),
        ),
    ),
    Panel(
        title="Answers by number of students",
        description="Texts in a second by how many students voted.",
        unit="reqps",
        queries=(Query(expr=rate_of(worker.ANSWERS, "students"), legend=WITH),),
        stacked=True,
    ),
    Panel(
        title="Answers by row",
        description="Texts in a second by the row whose ramp answered; `final` ran through the whole grid.",
        unit="reqps",
        queries=(Query(expr=rate_of(worker.EXITS, "row"), legend=f"row {{{{row}}}} {NAMED}"),),
        stacked=True,
    ),
    Panel(
        title="Accuracy spent",
        description="Share of answers expected to differ from those of all students; compare with accuracy.burstLoss.",
        unit="percentunit",
        queries=(
            Query(
                expr=share_of(worker.ACCURACY_SPENT, worker.ANSWERS),
                legend=NAMED,
            ),
        ),
    ),
    Panel(
        title="Accuracy budget left",
        description="Share of the burst budget that is left to the worker that has least. At 0 the floor rises.",
        unit="percentunit",
        queries=(Query(expr=gauge_of("min", worker.ACCURACY_BUDGET_LEFT), legend=NAMED),),
    ),
    Panel(
        title="Ramps that disagree",
        description="Share of all texts on which a ramp would differ from the final answer, whether it exits or not.",
        unit="percentunit",
        queries=(
            Query(
                expr=rate(
                    worker.RAMP_SCORE,
                    f'{ENSEMBLES},agrees="false"',
                    window=W,
                    by=f"{BY_ENSEMBLE}, row",
                    suffix="_count",
                )
                + f" / on ({BY_ENSEMBLE}, row) ({rate_of(worker.RAMP_SCORE, 'row', suffix='_count')} > 0)",
                legend=f"row {{{{row}}}} {NAMED}",
            ),
        ),
    ),
    Panel(
        title="Texts compared with a new artifact",
        description="Texts in a second that a candidate and the serving artifact both answered, by what came of it.",
        unit="reqps",
        queries=(Query(expr=rate_of(worker.CANDIDATE_TEXTS, "result"), legend=f"{{{{result}}}} {NAMED}"),),
        stacked=True,
    ),
    Panel(
        title="Time on the compared requests",
        description="Seconds in a second that the candidate and the serving artifact took for the same requests.",
        unit="s",
        queries=(Query(expr=rate_of(worker.CANDIDATE_SECONDS, "artifact"), legend=f"{{{{artifact}}}} {NAMED}"),),
    ),
)
