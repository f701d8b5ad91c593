"""The page's drawings, one module each. None holds text from data: names of classes and sets stand in tables."""
