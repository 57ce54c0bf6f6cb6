"""Lists of hashes in files: read into the service, and written out of it.

::

    file --source--> lines, JSON elements --fields--> records --grouping--> items --importing--> Contribute
                                               |                                        |
                                               '--------- refusals ---> report <--------'     journal: how far it is

Reading never stops at a bad record and never holds a file: what cannot be taken is told with its place and a reason.
Hash values go into the service, into the file for opaque types and into exports, and nowhere else.
"""
