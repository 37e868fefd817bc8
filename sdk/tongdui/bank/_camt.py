"""ISO 20022 statements, camt.053.001.02 to .08. Each transaction of an entry is a line if the bank says what it is worth."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from ._lines import BankFile, BankFileError, BankLine, Kind, Problem, distinct, is_usual, micros_of, problem_of

_NAMESPACE = re.compile(r"\{urn:iso:std:iso:20022:tech:xsd:(camt\.\d{3})\.001\.(\d{2})\}Document")
_DECLARATION = re.compile(rb"""(\s*<\?xml[^>]{0,60}encoding=["'])(?:gb18030|gbk|gb2312)(?=["'])""", re.IGNORECASE)
_VERSIONS = range(2, 9)
_KINDS: dict[str, Kind] = {"CRDT": "deposit", "DBIT": "withdrawal"}
_REFERENCES = ("AcctSvcrRef", "TxId", "EndToEndId", "InstrId", "PmtInfId", "UETR", "ChqNb")


def read(content: bytes, currency: str) -> BankFile:
    """The lines of a statement. Raises BankFileError."""
    try:
        root = fromstring(_in_unicode(content), forbid_dtd=True)
    except ParseError as error:
        line, column = error.position
        raise BankFileError(
            "The XML is broken at line %(line)s, column %(column)s.", line=line, column=column
        ) from error
    except DefusedXmlException as error:
        raise BankFileError("The XML has a document type or entities, which no statement needs.") from error
    except (ValueError, LookupError) as error:
        raise BankFileError("The XML is in an encoding that cannot be read: ask the bank for UTF-8.") from error
    document, version = _document(root)
    statements = document.findall("BkToCstmrStmt/Stmt")
    if not statements:
        raise BankFileError("The file has no statement (BkToCstmrStmt/Stmt).")
    lines = tuple(line for number, one in enumerate(statements, 1) for line in _lines(one, number, currency))
    accounts = dict.fromkeys(_first(one, "Acct/Id/IBAN", "Acct/Id/Othr/Id") for one in statements)
    adds_up = all(_adds_up(one) for one in statements)
    return BankFile(f"camt.053.001.{version}", ", ".join(filter(None, accounts)), lines, adds_up, _days(statements))


def _in_unicode(content: bytes) -> bytes:
    """The XML in an encoding that the parser reads: it knows none of China's."""
    declared = _DECLARATION.match(content)
    if declared is None:
        return content
    return declared[1] + b"UTF-8" + content[declared.end() :].decode("gb18030").encode()


def _document(root: Element) -> tuple[Element, str]:
    """The document, without namespaces, and its version. Some banks wrap it into an envelope of their own."""
    for element in root.iter():
        found = _NAMESPACE.fullmatch(element.tag)
        if found is None:
            continue
        message, version = found.groups()
        if message != "camt.053":
            raise BankFileError(
                "This is a %(message)s: hand in the statement of booked entries, camt.053.", message=message
            )
        if int(version) not in _VERSIONS:
            raise BankFileError("This is version %(version)s of camt.053: versions 02 to 08 are read.", version=version)
        for inner in element.iter():
            inner.tag = inner.tag.rpartition("}")[2]
        return element, version
    raise BankFileError("This is XML, but no camt.053: it has no Document of that kind.")


def _lines(statement: Element, number: int, currency: str) -> Iterator[BankLine]:
    for index, entry in enumerate(statement.findall("Ntry"), 1):
        place = f"Stmt[{number}]/Ntry[{index}]"
        whole = _line(entry, entry, place, currency)
        yield from _transactions(entry, place, whole, currency) or [whole]


def _transactions(entry: Element, place: str, whole: BankLine, currency: str) -> list[BankLine]:
    """The transactions of an entry, each as a line; none if their amounts do not make the entry's."""
    found = entry.findall("NtryDtls/TxDtls")
    if len(found) < 2 or any(_amount(one) is None for one in found):
        return []
    lines = [_line(entry, one, f"{place}/TxDtls[{index}]", currency, index) for index, one in enumerate(found, 1)]
    total = sum(one.micros if one.kind == whole.kind else -one.micros for one in lines)
    return lines if total == whole.micros else []


def _line(entry: Element, part: Element, place: str, currency: str, index: int = 0) -> BankLine:
    """A line of an entry (`part` is the entry), or of one of its transactions, which have their own `index`."""
    kind = _kind(part, place) if part.find("CdtDbtInd") is not None else _kind(entry, place)
    amount = _amount(part)
    if amount is None:
        raise BankFileError("%(place)s: the amount (Amt) is missing.", place=place)
    micros = micros_of((amount.text or "").strip(), place)
    code = amount.get("Ccy", "")
    details = part if index else entry.find("NtryDtls/TxDtls")
    references = _references(entry, details, index)
    return BankLine(
        place=place,
        day=_day(entry, place),
        kind=kind,
        micros=micros,
        currency=code,
        references=references,
        name=_name(details, kind) if details is not None else "",
        text=_text(entry, details),
        problem=_problem(entry, micros, code, references, currency),
    )


def _kind(element: Element, place: str) -> Kind:
    said = _first(element, "CdtDbtInd")
    if said not in _KINDS:
        raise BankFileError("%(place)s: CdtDbtInd must be CRDT or DBIT, not %(text)s.", place=place, text=repr(said))
    return _KINDS[said]


def _amount(element: Element) -> Element | None:
    for path in ("Amt", "AmtDtls/TxAmt/Amt", "AmtDtls/InstdAmt/Amt"):
        found = element.find(path)
        if found is not None:
            return found
    return None


def _day(entry: Element, place: str) -> date:
    said = _first(entry, "BookgDt/Dt", "BookgDt/DtTm", "ValDt/Dt", "ValDt/DtTm")
    try:
        found = date.fromisoformat(said[:10])
    except ValueError:
        found = date.max
    if not is_usual(found):
        raise BankFileError("%(place)s: the day of booking (BookgDt) is missing or wrong.", place=place)
    return found


def _references(entry: Element, details: Element | None, index: int) -> tuple[str, ...]:
    """All references. Those of the entry belong to several transactions at once, so a transaction adds its place among them."""
    own = [_first(details, f"Refs/{name}") for name in _REFERENCES] if details is not None else []
    own += [one.text or "" for one in details.findall("Refs/Prtry/Ref")] if details is not None else []
    of_entry = [_first(entry, "AcctSvcrRef"), _first(entry, "NtryRef")]
    if not index:
        return distinct([*of_entry[:1], *own, *of_entry[1:]])
    shared = distinct(of_entry)
    return distinct([one for one in own if one not in shared] + [f"{one}/{index}" for one in shared])


def _name(details: Element, kind: Kind) -> str:
    """Who paid a deposit, or was paid a withdrawal. Version 08 has one more level."""
    side = "Dbtr" if kind == "deposit" else "Cdtr"
    paths = (f"{side}/Nm", f"{side}/Pty/Nm", f"Ultmt{side}/Nm", f"Ultmt{side}/Pty/Nm")
    return _first(details, *(f"RltdPties/{path}" for path in paths))


def _text(entry: Element, details: Element | None) -> str:
    said = []
    if details is not None:
        paths = ("RmtInf/Ustrd", "RmtInf/Strd/CdtrRefInf/Ref", "RmtInf/Strd/AddtlRmtInf", "AddtlTxInf")
        said = [(one.text or "").strip() for path in paths for one in details.findall(path)]
    return " ".join(filter(None, [*said, _first(entry, "AddtlNtryInf")]))[:500]


def _problem(entry: Element, micros: int, code: str, references: tuple[str, ...], currency: str) -> Problem | None:
    if _first(entry, "Sts/Cd", "Sts") not in {"BOOK", ""}:
        return Problem.NOT_BOOKED_YET
    if _first(entry, "RvslInd") in {"true", "1"}:
        return Problem.REVERSAL
    return problem_of(micros, code, references, currency)


def _days(statements: list[Element]) -> tuple[date, date] | None:
    """From which day to which the statements are, if each says so."""
    spans = [(_moment(one, "FrToDt/FrDtTm"), _moment(one, "FrToDt/ToDtTm")) for one in statements]
    first = [begin.date() for begin, _ in spans if begin is not None]
    # What ends at midnight ends with the day before.
    last = [(end - timedelta(microseconds=1)).date() for _, end in spans if end is not None]
    if len(first) < len(spans) or len(last) < len(spans) or min(first) > max(last):
        return None
    return min(first), max(last)


def _moment(statement: Element, path: str) -> datetime | None:
    """A time of the bank's, without its zone: the bank's days are its own."""
    try:
        found = datetime.fromisoformat(_first(statement, path)).replace(tzinfo=None)
    except ValueError:
        return None
    return found if is_usual(found.date()) else None


def _adds_up(statement: Element) -> bool:
    """Whether the booked entries lead from the opening balance to the closing one, as far as the statement has both."""
    balances = {_first(one, "Tp/CdOrPrtry/Cd"): _signed(one) for one in statement.findall("Bal")}
    opening = balances.get("OPBD", balances.get("PRCD"))
    if opening is None or "CLBD" not in balances:
        return True
    booked = (one for one in statement.findall("Ntry") if _first(one, "Sts/Cd", "Sts") in {"BOOK", ""})
    return opening + sum(_signed(one) for one in booked) == balances["CLBD"]


def _signed(element: Element) -> int:
    micros = micros_of(_first(element, "Amt"), element.tag)
    return micros if _first(element, "CdtDbtInd") == "CRDT" else -micros


def _first(element: Element, *paths: str) -> str:
    """The text of the first of these paths that has one."""
    for path in paths:
        found = (element.findtext(path) or "").strip()
        if found:
            return found
    return ""
