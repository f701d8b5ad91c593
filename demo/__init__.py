"""`make demo`: from a teacher's weights to answers over HTTP, on one machine with nothing but Python."""
