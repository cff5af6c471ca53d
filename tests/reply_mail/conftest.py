"""A process in production, its mail server, Alice and Bob."""

from tests.support.mail_fixtures import alice, bob, parley, production, server

__all__ = ["alice", "bob", "parley", "production", "server"]
