"""What everything may say: the database handle, transactions, ports, times, errors, the outbox."""
