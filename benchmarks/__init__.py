"""The measured claims: one program for each row of the table in docs/benchmarks.md."""
