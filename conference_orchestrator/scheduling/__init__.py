"""When: series and their sessions, slots, requests, the waiting list, conferences and the hosts they need."""
