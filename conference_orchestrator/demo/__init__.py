"""The demonstration: an invented network and its story, played through the public API."""
