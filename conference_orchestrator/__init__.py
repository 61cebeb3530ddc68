"""Runs the meetings of a clinical expert network: registrations, rounds, slots, meetings, invitations."""

__version__ = "0.1.0"
