"""The HTTP side: routes, thin handlers, and errors in each protocol's shape."""
