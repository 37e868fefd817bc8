"""The gateway's resources other than single movements (`tongdui._kinds`), each written once for both clients."""
