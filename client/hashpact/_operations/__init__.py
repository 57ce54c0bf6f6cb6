"""What each method of the client does, without input or output (see ``_wire.Operation``).

::

    Client.check(path) --hash--> reading.check(...) --yields calls--> Client._run      (grpc)     --> CheckResult
    AsyncClient.check(path) -->  the same operation --yields calls--> AsyncClient._run (grpc.aio) --> the same
"""
