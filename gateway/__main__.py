"""`python -m gateway`: serves the HTTP API with the settings of the environment."""

from clearing.kit.config import settings
from gateway.server import run


def main() -> None:
    """Serves until told to stop."""
    run(settings())


if __name__ == "__main__":
    main()
