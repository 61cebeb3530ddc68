"""Read only: indicators, attendance, audit reports, metrics."""
