"""Hashpact server."""
