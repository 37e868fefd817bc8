"""Files of the settlement bank: read into lines, and each line matched with what is booked. Knows no pages and no network."""

from console.settlement.bank_file.lines import BankFile, BankFileError, BankLine, Problem
from console.settlement.bank_file.matching import (
    Booked,
    Match,
    Party,
    Standing,
    by_reference,
    days_of,
    match,
    missing_from,
)
from console.settlement.bank_file.reading import is_statement, read_file
from console.settlement.bank_file.table import Columns

__all__ = [
    "BankFile",
    "BankFileError",
    "BankLine",
    "Booked",
    "Columns",
    "Match",
    "Party",
    "Problem",
    "Standing",
    "by_reference",
    "days_of",
    "is_statement",
    "match",
    "missing_from",
    "read_file",
]
