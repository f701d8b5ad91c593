"""Statuses in words and tables, for `kubectl phalanx` and `phalanx top`. Pure: objects and the time in, lines out."""
