"""Signing keys: encrypted at rest, decrypted once per process, never logged."""
