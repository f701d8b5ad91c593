"""The transfer set: training texts, texts made from them, and unlabelled texts."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from phalanx_distill.augment import neighbours
from phalanx_distill.config import TransferSettings
from phalanx_distill.data.split import position


def transfer_texts(
    train: Sequence[str],
    unlabelled: Sequence[str],
    settings: TransferSettings,
    *,
    held_out: Collection[str],
    seed: int,
) -> list[str]:
    """All texts that students learn from, training texts first, each once.

    Of too many other texts those with the lowest hash stay, so the choice does not depend on the files' order. But
    for the training texts, what equals a validation or test row (`held_out`) in its words is left out, wherever it
    comes from.
    """
    made = neighbours(train, each=settings.neighbours, word_drop=settings.word_drop, seed=seed)
    unwanted = {words(text) for text in held_out}
    others = [text for text in dict.fromkeys([*unlabelled, *made]) if words(text) not in unwanted]
    kept = list(dict.fromkeys(train))
    known = frozenset(kept)
    by_hash = sorted((text for text in others if text not in known), key=lambda text: (position(text), text))
    return kept + by_hash[: max(settings.max_texts - len(kept), 0)]


def words(text: str) -> str:
    """A text's letters and digits in lower case, single blanks between: what is left when its form is not looked at."""
    return " ".join("".join(sign if sign.isalnum() else " " for sign in text.casefold()).split())
