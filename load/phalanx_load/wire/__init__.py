"""HTTP/1.1 with as little work for a request as Python allows: raw bytes out, a small parser in, connections kept."""
