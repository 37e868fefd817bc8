"""What `make packaging` tries, and nothing else: it takes minutes and tools that the other tests do not need."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.packaging.image import Image

IS_ASKED_FOR = os.environ.get("PACKAGING") == "1"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leaves these tests out where nobody has asked for them."""
    if IS_ASKED_FOR:
        return
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.skip(reason="takes minutes and other tools: make packaging"))


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    """What the Dockerfile's steps make. PACKAGING_IMAGE names one that is there already, for whoever works on these tests."""
    if made := os.environ.get("PACKAGING_IMAGE"):
        return Image(Path(made))
    return Image.built(tmp_path_factory.mktemp("image"))


@pytest.fixture(scope="session")
def programme_image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    """The same for a merchant's programme."""
    return Image.built(tmp_path_factory.mktemp("programme"), "programme")
