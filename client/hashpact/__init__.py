"""Hashpact."""
