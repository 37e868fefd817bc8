"""The `tongdui` command. Each subcommand imports what it needs itself, so that `--help` and typing errors answer at once."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Sequence
from getpass import getpass
from pathlib import Path

from ._errors import TongduiError, VerificationError

OK, WRONG, UNKNOWN = 0, 1, 2

_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        arguments: What follows `tongdui` on the command line. By default those of this process.

    Returns:
        The exit code: 0 for a good outcome, 1 for a bad one, 2 when there is none.
    """
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except VerificationError as error:
        print(f"NOT VALID  {error}", file=sys.stderr)
        return WRONG
    except OSError as error:
        print(f"tongdui: {_sentence(error)}", file=sys.stderr)
        return UNKNOWN
    except (TongduiError, ValueError) as error:
        print(f"tongdui: {error}", file=sys.stderr)
        return UNKNOWN
    except KeyboardInterrupt:
        print("tongdui: interrupted; what was accepted stays, and running it again repeats nothing", file=sys.stderr)
        return UNKNOWN


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tongdui",
        description="Verify receipts, issue points for a till's sales, make signing keys.",
        epilog="Exit codes: 0 a good outcome, 1 a bad one (not valid, needs attention), 2 none (wrong use, no answer).",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    verify = commands.add_parser("verify", help="check a receipt against the chain, without trusting the gateway")
    verify.add_argument("receipt", type=Path, help="a file that Receipt.save wrote")
    verify.add_argument("--rpc", required=True, metavar="URL", type=_url, help="JSON-RPC endpoint of a chain node")
    verify.add_argument(
        "--contract",
        required=True,
        metavar="0x..",
        type=_address,
        help="address of the clearing house, from a source that you trust",
    )
    verify.add_argument("--chain-id", type=int, metavar="N", help="the chain's id, from a source that you trust")
    verify.set_defaults(run=_verify)

    till = commands.add_parser("till", help="issue points for a till's sales").add_subparsers(
        required=True, metavar="COMMAND"
    )
    imported = till.add_parser(
        "import",
        help="issue points for the sales in a till's export, each sale once",
        epilog="TONGDUI_URL and TONGDUI_API_KEY say where the gateway is and who you are. To sign on this machine, set "
        "TONGDUI_KEYSTORE and TONGDUI_KEYSTORE_PASSWORD too.",
    )
    imported.add_argument("file", type=Path, help="the export (CSV)")
    imported.add_argument("--program", required=True, metavar="CODE", help="the program to issue in, such as FUEL")
    imported.add_argument(
        "--mapping", default="station", help="a mapping file, or the name of a shipped one (station, online_retail)"
    )
    imported.add_argument("--dry-run", action="store_true", help="read and report, but send nothing")
    imported.add_argument(
        "--timeout", type=float, default=60.0, metavar="S", help="seconds to wait for each order to settle"
    )
    imported.set_defaults(run=_import_till)

    key = commands.add_parser("key", help="manage keys that sign orders").add_subparsers(
        required=True, metavar="COMMAND"
    )
    new = key.add_parser(
        "new",
        help="make a key, write it to an encrypted file, print its address",
        epilog="The password is that in TONGDUI_KEYSTORE_PASSWORD, or is asked for.",
    )
    new.add_argument("keystore", type=Path, help="the file to write; an existing one is never overwritten")
    new.set_defaults(run=_new_key)
    return parser


def _url(text: str) -> str:
    if not text.startswith(("http://", "https://")):
        raise argparse.ArgumentTypeError(f"{text!r} must begin with http:// or https://")
    return text


def _address(text: str) -> str:
    if not _ADDRESS.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not an address (0x and 40 hexadecimal digits)")
    return text


def _sentence(error: OSError) -> str:
    return f"{error.filename}: {error.strerror}" if error.filename and error.strerror else str(error)


def _verify(options: argparse.Namespace) -> int:
    from ._receipt import Receipt

    receipt = Receipt.load(options.receipt)
    receipt.verify(
        rpc_url=options.rpc,
        contract=options.contract,
        chain_id=options.chain_id,
        on_check=lambda name, detail: print(f"  ok  {name:<12} {detail}"),
    )
    entry = receipt.entry
    print(f"VALID  merchant {entry.merchant}, program {entry.program}: {entry.points} points, member {entry.member}")
    return OK


def _import_till(options: argparse.Namespace) -> int:
    try:
        import rich  # noqa: F401 - the report below draws its tables with it
    except ImportError as error:
        raise TongduiError("this command needs rich: pip install 'tongdui[cli]'") from error
    from ._client import Client
    from .till import TillImport, read_till
    from .till._report import TillReport

    report = TillReport()
    sheet = read_till(options.file, options.mapping)
    report.show_sheet(sheet)
    needs_attention = bool(sheet.problems or sheet.held_back)
    if options.dry_run:
        report.show(f"Nothing was sent: this was a dry run. {sheet.points} points would be issued.")
        return WRONG if needs_attention else OK
    if not os.environ.get("TONGDUI_API_KEY"):
        raise TongduiError("TONGDUI_API_KEY is not set: which merchant issues the points?")
    # Half a minute of patience: nobody watches a nightly run.
    with Client.from_env(max_retries=8) as client, report.progress() as progress:
        result = TillImport(client, options.program, timeout=options.timeout).run(sheet.sales, progress)
    report.show_result(result)
    return WRONG if needs_attention or result.needs_attention else OK


def _new_key(options: argparse.Namespace) -> int:
    from ._signing import LocalSigner

    if options.keystore.exists():
        raise TongduiError(f"{options.keystore} exists already, and may be the only copy of a key")
    if not options.keystore.absolute().parent.is_dir():
        raise TongduiError(f"{options.keystore}: there is no such directory")
    password = os.environ.get("TONGDUI_KEYSTORE_PASSWORD") or getpass(f"Password for {options.keystore}: ")
    if not password:
        raise TongduiError("a keystore needs a password; set TONGDUI_KEYSTORE_PASSWORD or type one")
    signer = LocalSigner.generate()
    signer.save_keystore(options.keystore, password)
    print(signer.address)
    return OK


if __name__ == "__main__":
    sys.exit(main())
