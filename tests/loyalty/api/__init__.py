"""The programme over HTTP."""
