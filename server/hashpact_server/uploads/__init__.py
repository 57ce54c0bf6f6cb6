"""What a replica remembers of its member's uploads, on the member's side only.

::

    remember --> uploads, window --search--+--> retro matches --> watchers
    entries, as they are published --------+
                    |
    record ----> journal --compare with the state--> corrections --> watchers

Two promises, both kept across crashes:

* an upload that is remembered is held against every entry that its look-up had not seen: entries up to the *cursor*
  were searched when they came, so ``remember`` searches those between the look-up and the cursor by itself;
* whoever acted because of an item is told when the item does not stand any more as the action took it to. What counts
  is what the state says, compared with what was told last, and not the entries on the way.

Everything lies in one SQLite file. What is in memory (the window: the values, searchable) is made from it at the start.
"""

from hashpact_server.uploads.memory import UploadMemory

__all__ = ["UploadMemory"]
