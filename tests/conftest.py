"""How properties are searched: anew every time, but with the same examples every time where a build depends on it.

No example has a deadline: the machines that tests run on are busy, and a slow one is no counterexample.
"""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile("here", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "here")
