"""The proofs would notice: with a fault planted in a withdrawal, `make prove` proves it no more. At night only."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from scripts.dev.prove import PROOFS, ROOT, run
from tests.support.nightly import at_night

_SETTLEMENT = "contracts/Settlement.sol"
FAULTS = {
    "pays what the position does not cover": ("position.micros() >= int256(uint256(micros))", "true"),
    "pays what is not there": ("if (funds < 0) revert", "if (funds < -1) revert"),
    "pays twice": ("if (bankRefUsed[bankRef]) revert BankRefUsed(bankRef);", ""),
    "takes from the funds alone": ("_merchant(merchant).position = position.minus(micros);", ""),
}
(WITHDRAWAL,) = (proof for proof in PROOFS if proof.contract == "WithdrawalProof")


@at_night
@pytest.mark.slow
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_withdrawal_with_a_fault_is_not_proved(fault: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(ROOT / "contracts", tmp_path / "contracts")
    shutil.copy(ROOT / "foundry.toml", tmp_path)
    for part in ("node_modules", "scripts"):
        (tmp_path / part).symlink_to(ROOT / part)
    right, wrong = FAULTS[fault]
    source = (tmp_path / _SETTLEMENT).read_text()
    assert right in source
    (tmp_path / _SETTLEMENT).write_text(source.replace(right, wrong))
    assert run(WITHDRAWAL, 120, tmp_path) == 1
    assert "[FAIL]" in capfd.readouterr().out, "it fails for another reason"
