"""Parley: a live comments service over plain HTTP. Start reading at ARCHITECTURE.md, or at `app.main`."""

__version__ = "0.1.0"
