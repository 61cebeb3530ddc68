"""How it fits: each flow is one module, read top to bottom; here transactions begin and end."""
