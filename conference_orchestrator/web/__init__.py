"""Speak HTTP: the API and the pages, who may do what, and how errors are told."""

from conference_orchestrator.web.setup import register

__all__ = ["register"]
