"""The one thread that computes, and what goes in and out of it."""
