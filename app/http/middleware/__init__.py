"""Middleware in plain ASGI: Starlette's BaseHTTPMiddleware would triple the cost of a broadcast."""
