"""The demonstration: an invented network and its story."""
