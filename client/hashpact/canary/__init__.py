"""Canaries: harmless pictures with a known answer, which prove that a whole pipeline works.

They are drawn by :mod:`hashpact.canary.drawing`, the same bytes on every machine; their signals stand in
:mod:`hashpact.canary.published`, so that whoever cannot hash media knows them too.
"""
