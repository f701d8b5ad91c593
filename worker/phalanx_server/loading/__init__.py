"""From a URI and a digest to something that serves: locate, fetch, verify, load, warm up."""
