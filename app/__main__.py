"""`python -m app`, which is `parley`, and alone is `make run`: migrate, seed the demo in development, serve."""

from __future__ import annotations

from app.cli import main

if __name__ == "__main__":
    main()
