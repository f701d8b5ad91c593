"""How commands end that neither succeed nor fail."""

from typing import Final

INTERRUPTED: Final = 130
"""After Ctrl-C, as shells have it: 128 and the signal's number."""
