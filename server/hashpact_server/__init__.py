"""The server: holds the list, decides what gets onto it, and answers look-ups. ``docs/design.md`` draws the rooms."""
