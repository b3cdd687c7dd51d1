"""What students install. ``making`` makes it; ``check``, ``tree`` and ``datasets`` are copied into it as they are."""
