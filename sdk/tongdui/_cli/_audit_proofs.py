"""Single proofs for others: audit member, audit export, audit verify."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ._arguments import address
from ._audit_files import require_room, write_all
from ._audit_options import EXIT_CODES, Chain, ChainId, Contract, Force, NodesIfAny, Workers, day_of, with_kit
from ._command import command
from ._outcomes import BAD, GOOD, WrongUseError
from ._session import Session

if TYPE_CHECKING:
    from tongdui.audit.member import MemberProof, Statement


def add_to(audit: typer.Typer) -> None:
    """Register the commands."""
    command(audit, "member", epilog=EXIT_CODES)(member)
    command(audit, "export", epilog=EXIT_CODES)(export)
    command(audit, "verify", epilog=EXIT_CODES)(verify)


# -------------------------------------------------------------------- member


def member(
    session: Session,
    contract: Contract,
    who: Annotated[
        str, typer.Argument(metavar="ADDRESS|FILE", help="The member's address, or a proof that --output has written.")
    ],
    rpc: NodesIfAny = None,
    chain_id: ChainId = None,
    block: Annotated[
        int | None, typer.Option(min=0, metavar="N", help="After which block. By default the newest.")
    ] = None,
    block_hash: Annotated[
        str | None,
        typer.Option(
            metavar="0x..", help="The block's hash, from a source that you trust: a FILE is checked without a node."
        ),
    ] = None,
    output: Annotated[Path | None, typer.Option(metavar="FILE.json", help="Write the proof.")] = None,
    force: Force = False,
) -> int:
    """Prove how many points a member has, and that they are counted in what the issuers owe.

    The file that --output writes needs no node: whoever knows the block's hash can check it with --block-hash.
    """
    if output is not None:
        require_room([output], [], force=force)
    with with_kit():
        from tongdui.audit.member import BadProof

        try:
            if _is_file(who) and block_hash is not None:
                proof, statement = _checked(who, block_hash, contract, chain_id)
            elif rpc:
                proof, statement = _proven(rpc, who, block, contract, chain_id)
            else:
                raise WrongUseError(
                    "name a node with --rpc; or, to check a file without one, the hash of its block with --block-hash"
                )
        except BadProof as error:
            session.out.document({"holds": False, "check": error.check, "detail": str(error)})
            session.out.lines(f"DOES NOT HOLD  {error}")
            return BAD
    if output is not None:
        write_all({output: proof.to_json().encode()})
        session.out.note(f"wrote {output}")
    session.out.document({"holds": True, "statement": proof.says})
    session.out.lines(
        *statement.sentences(), f"PROVEN under the hash {statement.block_hash} of block {statement.block}"
    )
    return GOOD


def _checked(file: str, block_hash: str, contract: str, chain_id: int | None) -> tuple[MemberProof, Statement]:
    """A proof from a file that holds under this hash. No node is asked."""
    proof = _read(file)
    statement = proof.verify(block_hash.lower())
    _require_about(statement, contract, chain_id)
    return proof, statement


def _proven(
    rpc: list[str], who: str, block: int | None, contract: str, wanted_chain: int | None
) -> tuple[MemberProof, Statement]:
    """A proof of a node's, or one from a file, that holds under the hash that every node gives its block."""
    from tongdui.audit.chain.node import Node, require_same_chain
    from tongdui.audit.member import prove_member

    nodes = [Node(url) for url in rpc]
    try:
        chain_id = require_same_chain(nodes, wanted_chain)
        proof = _read(who) if _is_file(who) else prove_member(nodes[0], contract, who, block)
        statement = proof.verify()
        for node in nodes:
            proof.verify(str(node.header(statement.block)["hash"]))
    finally:
        for node in nodes:
            node.close()
    _require_about(statement, contract, chain_id)
    return proof, statement


def _require_about(statement: Statement, contract: str, chain_id: int | None) -> None:
    """Raises BadProof for a proof about something else."""
    from tongdui.audit.member import BadProof

    if statement.contract != contract.lower():
        raise BadProof("contract", f"it is about the contract {statement.contract}, not {contract.lower()}")
    if chain_id is not None and statement.chain_id != chain_id:
        raise BadProof("chain", f"it is about chain {statement.chain_id}, not {chain_id}")


def _is_file(who: str) -> bool:
    try:
        address(who)
    except typer.BadParameter:
        if not Path(who).exists():
            raise WrongUseError(f"{who} is neither an address (0x and 40 hexadecimal digits) nor a file") from None
        return True
    return False


def _read(path: str) -> MemberProof:
    from tongdui.audit.member import MemberProof

    return MemberProof.from_json(Path(path).read_bytes())


# -------------------------------------------------------------------- export


def export(
    session: Session,
    chain: Chain,
    merchant: Annotated[int, typer.Option(min=0, metavar="N", help="The merchant's number; 0 is the operator.")],
    output: Annotated[Path, typer.Option(metavar="FILE.csv", help="Where to write it.")],
    first: Annotated[str | None, typer.Option("--from", metavar="DAY", help="The first day of the network.")] = None,
    last: Annotated[str | None, typer.Option("--to", metavar="DAY", help="The last day, which counts.")] = None,
    workers: Workers = None,
    force: Force = False,
) -> int:
    """Write a merchant's entries with their receipts as CSV, from the chain alone.

    `tongdui entries export` writes the same file from the gateway: compare them byte for byte.
    """
    require_room([output], [], force=force)
    with with_kit():
        from tongdui.audit.days import day_number
        from tongdui.audit.exporting import export as export_to
        from tongdui.audit.options import Options
        from tongdui.audit.report.export import Period

        days = (day_of("--from", first), day_of("--to", last))
        period = Period(*(None if day is None else day_number(day) for day in days))
        options = Options(tuple(chain.rpc), chain.contract.lower(), chain.chain_id, workers=workers)
        count = export_to(options, merchant, period, output)
    session.out.document({"file": str(output), "entries": count})
    session.out.lines(f"{count:,} entries in {output}")
    return GOOD


# -------------------------------------------------------------------- verify


def verify(
    session: Session,
    report: Annotated[Path, typer.Argument(metavar="REPORT.json", help="The report that `audit run --json` wrote.")],
    signature: Annotated[Path, typer.Argument(metavar="SIGNATURE.json", help="What `audit run --sign` wrote.")],
    signer: Annotated[
        str,
        typer.Option(parser=address, metavar="0x..", help="The auditor's address, from a source that you trust."),
    ],
    page: Annotated[
        list[Path] | None, typer.Option("--page", metavar="FILE.html", help="A page of the report. Repeatable.")
    ] = None,
    csv: Annotated[Path | None, typer.Option(metavar="DIR", help="The report's tables.")] = None,
) -> int:
    """Check who signed a report, and that nothing in it and in its files was changed since."""
    with with_kit():
        from tongdui.audit.report.signature import verify as doubts_of

        document = report.read_bytes()
        files = dict(_files(document, page or [], csv))
        doubts = doubts_of(signature.read_bytes(), document, files, signer)
    session.out.document(
        {"holds": not doubts, "doubts": [{"what": doubt.what, "detail": doubt.sentence} for doubt in doubts]}
    )
    for doubt in doubts:
        session.out.lines(f"DOES NOT HOLD  {doubt.what}: {doubt.sentence}")
    if doubts:
        return BAD
    session.out.lines(f"ALL HOLDS  {signer} signed this report" + (f" and its {len(files)} files" if files else ""))
    return GOOD


def _files(document: bytes, pages: list[Path], csv: Path | None) -> Iterator[tuple[str, bytes]]:
    """Files by the names that the report knows them by. A page may be called anything: its content tells which one it is."""
    from tongdui.audit.report.signature import files_named

    named = files_named(document)
    by_hash = {digest: name for name, digest in named.items()}
    for path in pages:
        content = path.read_bytes()
        yield by_hash.get(sha256(content).hexdigest(), "report.html"), content
    if csv is not None:
        found = sorted(csv.glob("*.csv"))
        if not found:
            raise WrongUseError(f"{csv} has no CSV files: name the directory that `audit run --csv` has written")
        for path in found:
            yield f"csv/{path.name}", path.read_bytes()
