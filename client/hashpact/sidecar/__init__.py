"""The sidecar: a replica's look-ups and hashing behind plain HTTP on loopback, for any stack.

::

    upload --HTTP--> guard --> uploads (spool) --> workers (decode, in processes that may die) --> signals
                                                                                                     |
    answer <-- modes (may only lower) <-- matches <--unix socket-- hashpact-server serve --follow <--'
                                                                          ^ supervised: local_server

It is a client like any other: it starts a server of its own, which follows the hub, and asks it. So the process that
holds the list decodes no media, the processes that decode hold neither list nor token, and this one does neither.

Needs the extra ``sidecar``.
"""
