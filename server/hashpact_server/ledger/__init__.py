"""Ledger: append-only, hash-committed entries and the tree over them, and the store that they share with the state."""
