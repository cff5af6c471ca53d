"""A mail server, and a process in production that sends to it. Some tests compare it with development, `parley`."""

from tests.support.mail_fixtures import parley as parley_in_production
from tests.support.mail_fixtures import production, server

__all__ = ["parley_in_production", "production", "server"]
