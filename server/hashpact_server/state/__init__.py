"""State: what the ledger adds up to, as rows that rules decide on and look-ups answer from."""
