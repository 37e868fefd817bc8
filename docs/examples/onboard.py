"""Takes the merchants of these examples on board of a network that runs on your machine (`make up`).

Writes into `.tongdui/examples/`, for each merchant, its keystore and a file of environment variables. Run this once.
"""

import json
import os
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from tongdui import Client, LocalSigner, Merchant, yuan

HOME = Path(os.environ.get("TONGDUI_HOME", ".tongdui"))
URL = os.environ.get("TONGDUI_URL", "http://127.0.0.1:8080")
RPC_URL = os.environ.get("TONGDUI_RPC_URL", "http://127.0.0.1:8545")
PASSWORD = "examples"  # noqa: S105 (of keys that are worth nothing)

MERCHANTS = {
    "station": ("Gas station", "FUEL"),
    "cinema": ("Cinema", "CINE"),
    "car_wash": ("Sparkle Wash", None),  # takes others' points, and has none of its own
    "video_platform": ("Video platform", "VIDEO"),
}
SCOPES = ["issue", "redeem", "exchange", "spend", "reverse", "agree", "members", "webhooks", "read"]


def main() -> None:
    """Takes everybody on board, and lets them sign what they have agreed on."""
    directory = HOME / "examples"
    if directory.exists():
        raise SystemExit(f"{directory} exists: the merchants are on board already")
    directory.mkdir()
    keys = json.loads((HOME / "api-keys.json").read_text())
    with Client(URL, keys["operator"]) as operator, Client(URL, keys["treasury"]) as treasury:
        clients = {name: join(operator, treasury, name, directory) for name in MERCHANTS}
    agree(clients)
    for client in clients.values():
        client.close()
    print(f"on board: {', '.join(MERCHANTS)}; now run for example `. {directory}/cinema.env`")


def join(operator: Client, treasury: Client, name: str, directory: Path) -> Client:
    """What operator and treasury do for a merchant that joins. What brings money or access, one of the two asks for, and the other
    one approves. The merchant's key never leaves its own machine."""
    title, program = MERCHANTS[name]
    signer = LocalSigner.generate()
    keystore = signer.save_keystore(directory / f"{name}.json", PASSWORD)
    merchant = operator.merchants.create(name=title, signer_address=signer.address, wait=30)
    if program is not None:
        operator.programs.create(merchant=merchant, code=program, name=f"{title} points", wait=30)
    deposit = treasury.deposits.create(
        merchant=merchant,
        micros=yuan(1_000),
        bank_reference=f"deposit of {name}",
        reason="line 14 of the bank's statement",
    )
    operator.approvals.approve(deposit, wait=30)
    api_key = first_key(operator, treasury, merchant)
    variables = {
        "TONGDUI_URL": URL,
        "TONGDUI_API_KEY": api_key,
        "TONGDUI_KEYSTORE": keystore.absolute(),
        "TONGDUI_KEYSTORE_PASSWORD": PASSWORD,
        "TONGDUI_RPC_URL": RPC_URL,
        "TONGDUI_CONTRACT": operator.network.get().contract,
    }
    lines = (f"export {variable}='{value}'\n" for variable, value in variables.items())
    (directory / f"{name}.env").write_text("".join(lines))
    return Client(URL, api_key, signer=signer, rpc_url=RPC_URL)


def first_key(operator: Client, treasury: Client, merchant: Merchant) -> str:
    """The operator hands over a code, the treasury a link, so neither can come in as the merchant; the merchant redeems both."""
    email = f"{merchant.id}@merchants.example"
    asked = operator.invitations.request(email=email, title="admin", merchant=merchant, reason="signed our contract")
    link = treasury.approvals.approve(asked).link
    assert link is not None, "this network sends mails"
    with Client(URL) as client:
        return str(client.invitations.redeem(link, code=asked.code, scopes=SCOPES).secret)


def agree(clients: dict[str, Client]) -> None:
    """The station proposes, the other side signs. Where the target side may initiate, it needs the member's code."""
    station, wash = clients["station"], clients["car_wash"]
    wash_id = next(merchant.id for merchant in wash.merchants.list() if merchant.name == MERCHANTS["car_wash"][0])
    propose = partial(
        station.agreements.propose,
        source_program="FUEL",
        unit_price_micros=yuan("0.009"),
        max_points=10_000,
        daily_cap=1_000_000,
        valid_until=datetime.now(UTC) + timedelta(days=365),
    )
    proposals = {
        "cinema": propose(target_program="CINE", rate="9/10", initiators=["source", "target"]),
        "video_platform": propose(target_program="VIDEO", rate="1/2"),
        "car_wash": propose(target_merchant=wash_id, initiators=["target"]),
    }
    for name, proposal in proposals.items():
        clients[name].agreements.sign(proposal, wait=30)


if __name__ == "__main__":
    main()
