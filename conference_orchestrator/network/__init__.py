"""Who: networks, hospitals, clinicians, registrations, expert groups, notices, sharing."""
