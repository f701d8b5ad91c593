"""Pure: what was seen, what the specs allow, what was decided before, and the time -> what to do, and why."""
