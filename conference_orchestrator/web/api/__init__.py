"""The JSON API: one module per resource, its routes and schemas side by side."""
