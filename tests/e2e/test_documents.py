"""What the documents print works as printed, and what they point at is there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from clearing.kit.config import Settings
from clearing.runtime.embedded.settings_file import SETTINGS_FILE
from tests.e2e.witness import Witness

pytestmark = pytest.mark.timeout(900)
ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


def blocks(page: str, language: str) -> list[str]:
    """The code blocks of a page that are in a language."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def run(command: list[str], directory: Path, **environment: str) -> str:
    done = subprocess.run(
        command,
        cwd=directory,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_what_the_audit_page_prints_can_be_run(witness: Witness, tmp_path: Path) -> None:
    """Shell blocks one after another, as an auditor would type them; then the Python block."""
    station = witness.participants["FUEL"].client
    member = station.members.create(external_id="audited")
    sale = station.issuances.create(program="FUEL", member=member, points=200, wait=60)
    station.entries.receipt(sale).save(tmp_path / "receipt.json")
    environment = {"RPC": witness.network.rpc_url, "CONTRACT": witness.network.settings.contract}
    script = "set -eu -o pipefail\n" + "\n".join(blocks("docs/audit.md", "sh"))
    script = "\n".join(line for line in script.splitlines() if not line.startswith("export "))
    assert "VALID" in run(["bash", "-c", script], tmp_path, **environment)
    (recompute,) = blocks("docs/audit.md", "python")
    assert "batches" in run([sys.executable, "-c", recompute], tmp_path, **environment)


def test_what_the_operating_page_prints_can_be_run(witness: Witness) -> None:
    settings = witness.network.settings
    environment = {
        "TONGDUI_DATABASE_URL": settings.database_url,
        "TONGDUI_RPC_URL": settings.rpc_url,
        "TONGDUI_CHAIN_ID": str(settings.chain_id),
        "TONGDUI_CONTRACT": settings.contract,
        "TONGDUI_ENV_FILE": str(witness.network.directory / SETTINGS_FILE),
    }
    script = "set -eu\n" + "\n".join(blocks("docs/operate.md", "sh"))
    run(["bash", "-c", script], ROOT, **environment)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text):
        if not re.match(r"[a-z]+:", target):
            assert (page.parent / target).exists(), f"{page.relative_to(ROOT)} points at {target}"


def test_every_decision_is_in_the_index() -> None:
    index = (ROOT / "docs/decisions/README.md").read_text()
    for page in (ROOT / "docs/decisions").glob("*.md"):
        assert page.name == "README.md" or f"({page.name})" in index, f"{page.name} is not in the index"


def test_every_setting_is_described() -> None:
    text = (ROOT / "docs/operate.md").read_text()
    missing = [name for name in Settings.model_fields if f"`TONGDUI_{name.upper()}`" not in text]
    assert missing == [], "docs/operate.md has no line for these settings"
