"""A cluster as a person sees it from the command line: kubectl's options, reading, errors in one line."""
