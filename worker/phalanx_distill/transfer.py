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

    Of too many unlabelled texts those with the lowest hash stay, so the choice does not depend on the files' order.
    Texts of validation and test rows (`held_out`) are left out wherever they come from.
    """
    chosen = sorted(set(unlabelled), key=lambda text: (position(text), text))[: settings.max_unlabelled]
    made = neighbours(train, each=settings.neighbours, word_drop=settings.word_drop, seed=seed)
    unwanted = frozenset(held_out)
    return [text for text in dict.fromkeys([*train, *chosen, *made]) if text not in unwanted]
