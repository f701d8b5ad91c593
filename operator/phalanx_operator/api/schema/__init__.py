"""The resources' schema, written once in Python: `fields` are the words, a module for each kind's spec."""
