"""Files as banks make them, with the habits of several: versions, envelopes, batches, encodings, heads in the middle of a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:camt.053.001."


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of a statement; `details` are its TxDtls."""

    amount: str
    sign: str = "CRDT"
    reference: str = ""
    day: str = "2026-11-25"
    currency: str = "CNY"
    status: str = "BOOK"
    reversal: bool = False
    details: Sequence[str] = ()
    more: str = ""


def details(
    *,
    end_to_end: str = "NOTPROVIDED",
    amount: str = "",
    debtor: str = "",
    creditor: str = "",
    text: str = "",
    level: bool = False,
) -> str:
    """One TxDtls. `level` writes names as version 08 does, one level deeper."""
    parties = ""
    for tag, name in (("Dbtr", debtor), ("Cdtr", creditor)):
        inner = f"<Pty><Nm>{name}</Nm></Pty>" if level else f"<Nm>{name}</Nm>"
        parties += f"<{tag}>{inner}</{tag}>" if name else ""
    return (
        f"<TxDtls><Refs><EndToEndId>{end_to_end}</EndToEndId></Refs>"
        + (f'<AmtDtls><TxAmt><Amt Ccy="CNY">{amount}</Amt></TxAmt></AmtDtls>' if amount else "")
        + f"<RltdPties>{parties}</RltdPties><RmtInf><Ustrd>{text}</Ustrd></RmtInf></TxDtls>"
    )


def camt(
    entries: Sequence[Entry],
    *,
    version: str = "02",
    prefix: str = "",
    opening: str = "",
    closing: str = "",
    envelope: str = "",
    period: tuple[str, str] | None = None,
) -> bytes:
    """A statement. `prefix` puts the namespace under a name, `envelope` wraps the document."""
    about = f"<FrToDt><FrDtTm>{period[0]}</FrDtTm><ToDtTm>{period[1]}</ToDtTm></FrToDt>" if period else ""
    body = "".join(_entry(one, version) for one in entries)
    balances = "".join(
        f'<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp><Amt Ccy="CNY">{amount}</Amt><CdtDbtInd>CRDT</CdtDbtInd></Bal>'
        for code, amount in (("OPBD", opening), ("CLBD", closing))
        if amount
    )
    inner = (
        f"<BkToCstmrStmt><GrpHdr><MsgId>M-1</MsgId></GrpHdr><Stmt><Id>S-1</Id>{about}"
        f"<Acct><Id><IBAN>DE89370400440532013000</IBAN></Id></Acct>{balances}{body}</Stmt></BkToCstmrStmt>"
    )
    if prefix:
        inner = inner.replace("</", "\0").replace("<", f"<{prefix}:").replace("\0", f"</{prefix}:")
        document = f'<{prefix}:Document xmlns:{prefix}="{NAMESPACE}{version}">{inner}</{prefix}:Document>'
    else:
        document = f'<Document xmlns="{NAMESPACE}{version}">{inner}</Document>'
    if envelope:
        document = f'<{envelope} xmlns="urn:bank:envelope"><Header/>{document}</{envelope}>'
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{document}'.encode()


def _entry(one: Entry, version: str) -> str:
    status = f"<Sts><Cd>{one.status}</Cd></Sts>" if int(version) >= 7 else f"<Sts>{one.status}</Sts>"
    day = (
        f"<BookgDt><DtTm>{one.day}T08:30:00+08:00</DtTm></BookgDt>"
        if version == "08"
        else f"<BookgDt><Dt>{one.day}</Dt></BookgDt>"
    )
    return (
        f'<Ntry><Amt Ccy="{one.currency}">{one.amount}</Amt><CdtDbtInd>{one.sign}</CdtDbtInd>'
        + ("<RvslInd>true</RvslInd>" if one.reversal else "")
        + f"{status}{day}"
        + (f"<AcctSvcrRef>{one.reference}</AcctSvcrRef>" if one.reference else "")
        + (f"<NtryDtls>{''.join(one.details)}</NtryDtls>" if one.details else "")
        + f"{one.more}</Ntry>"
    )


ICBC = (
    "中国工商银行 账户明细\r\n账号,6222000011112222\r\n\r\n"
    "交易日期,交易流水号,借方发生额,贷方发生额,余额,对方户名,摘要\r\n"
    '2026-11-24,="HQ20261124001",,"20,000.00","120,000.00",长河石油,入金 FUEL\r\n'
    "2026-11-25,HQ20261125007\t,1500.50,,118499.50,丰收超市,出金\r\n"
    "合计,,1500.50,20000.00,,,\r\n"
).encode("gb18030")
"""Chinese: GB 18030, lines before the head, a sum below the table, numbers as text."""

SPARKASSE = (
    "\ufeffBuchungstag;Verwendungszweck;Beguenstigter;Betrag;Waehrung;Referenz\n"
    '25.11.26;"Einzahlung; November";"Strom & Co.";1.234,56;EUR;S-1\n'
    "26.11.26;Auszahlung;Strom & Co.;-12,5;EUR;S-2\n"
).encode()
"""German: semicolons, decimal comma, two digits of the year, a delimiter within quotes."""

CITY = (
    "Date\tDescription\tDebit\tCredit\tBank ref\r\n"
    "11/24/2026\tWIRE IN MART\t\t$7,000.10\tW-9\r\n"
    "11/25/2026\tWIRE OUT MART\t(250.00)\t\tW-10\r\n"
).encode("utf-16")
"""American: UTF-16 with tabs, months first, money in brackets."""
