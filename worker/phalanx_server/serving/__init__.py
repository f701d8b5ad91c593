"""What the worker serves now, and what it is still loading: the state of the event loop."""
