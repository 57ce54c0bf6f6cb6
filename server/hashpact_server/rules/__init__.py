"""Rules: pure decisions. Values and a scene in, drafts and outcomes out; no gRPC, no LMDB, no clock, no randomness."""
