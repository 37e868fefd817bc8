"""Checks commit messages: a subject of at most 72 characters without a full stop, then a blank line, then the body.

Given a file, checks the message in it, as git's commit-msg hook does. Without one, checks every commit made since this rule exists.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LONGEST_SUBJECT = 72
SCISSORS = "# ------------------------ >8 ------------------------"


class HistoryUnavailable(Exception):
    """Git cannot say which commits there are: no repository, no git, or another user's checkout."""


def main() -> int:
    """Prints what is wrong with each message; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", nargs="?", type=Path, help="a message that git is about to commit")
    file: Path | None = parser.parse_args().file
    if file is not None:
        messages = {"the message": without_comments(file.read_text())}
    else:
        try:
            messages = messages_since_the_rule()
        except HistoryUnavailable as reason:
            print(f"No commit messages were checked: {reason}")
            return 0
    found = [f"{where}: {problem}" for where, message in messages.items() for problem in problems(message)]
    print(*found, sep="\n", end="\n" if found else "", file=sys.stderr)
    return 1 if found else 0


def problems(message: str) -> list[str]:
    """What is wrong with a message, a sentence each."""
    subject, *rest = message.rstrip().split("\n")
    found = []
    if not subject.strip():
        found.append("the subject is empty")
    if len(subject) > LONGEST_SUBJECT:
        found.append(f"the subject has {len(subject)} characters, the limit is {LONGEST_SUBJECT}: {subject}")
    if subject.endswith("."):
        found.append(f"the subject ends with a full stop: {subject}")
    if rest and rest[0].strip():
        found.append(f"no blank line separates the subject from the body: {subject}")
    return found


def without_comments(text: str) -> str:
    """The message without what git only shows to its author."""
    lines = text.partition(SCISSORS)[0].split("\n")
    return "\n".join(line for line in lines if not line.startswith("#"))


def messages_since_the_rule() -> dict[str, str]:
    """Messages of the commits that build on the one that brought this file, by their short names.

    Older history does not follow the rule, and git words the subjects of merges. Of a shallow clone, this checks what it holds.
    """
    added = _git("log", "--diff-filter=A", "--format=%H", "--", str(Path(__file__).relative_to(ROOT))).split()
    if not added:
        raise HistoryUnavailable("no commit has brought this rule yet")
    log = _git("log", "-z", "--no-merges", "--ancestry-path", "--format=%h%n%B", f"{added[-1]}..HEAD")
    return dict(_named(entry) for entry in log.split("\0") if entry)


def _named(entry: str) -> tuple[str, str]:
    name, _, message = entry.partition("\n")
    return name, message


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    except OSError as error:
        raise HistoryUnavailable(f"git cannot be run: {error}") from error
    if done.returncode:
        raise HistoryUnavailable(f"git says: {done.stderr.strip()}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
