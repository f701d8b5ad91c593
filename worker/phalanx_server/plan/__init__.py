"""The plan in the worker: the files it comes in, and what changes from one to the next."""
