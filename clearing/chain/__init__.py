"""The chain as seen from outside: node client, contract, fees, node errors, deployment, privileged calls."""
