"""One round for one pool: gather -> accept -> observe -> decide -> compose -> build -> apply -> report."""
