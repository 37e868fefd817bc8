"""`python -m gateway`: serves the HTTP API with the settings of the environment."""

from clearing.config import settings

from .server import run

if __name__ == "__main__":
    run(settings())
