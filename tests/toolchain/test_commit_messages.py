"""Commit messages keep their rules, and their check works wherever the history does not."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.dev.commit_messages import problems, without_comments

SCRIPT = Path(__file__).parents[2] / "scripts" / "dev" / "commit_messages.py"


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("Refuse a second key with the same terms\n\nIt was accepted.\n", []),
        ("A subject alone", []),
        ("S" * 72, []),
        ("", ["the subject is empty"]),
        ("S" * 73, [f"the subject has 73 characters, the limit is 72: {'S' * 73}"]),
        ("Subject.", ["the subject ends with a full stop: Subject."]),
        ("Subject\nBody", ["no blank line separates the subject from the body: Subject"]),
    ],
)
def test_a_message_keeps_the_rules(message: str, expected: list[str]) -> None:
    assert problems(message) == expected


def test_what_git_shows_to_the_author_is_no_part_of_the_message() -> None:
    text = "Subject\n\nBody\n# a comment\n# ------------------------ >8 ------------------------\ndiff --git\n"
    assert without_comments(text) == "Subject\n\nBody\n"


class Project:
    """A repository with the check in it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        (directory / "scripts/dev").mkdir(parents=True)
        shutil.copy(SCRIPT, directory / "scripts/dev")

    def git(self, *arguments: str) -> None:
        identity = ("-c", "user.name=Ann", "-c", "user.email=ann@example.com", "-c", "init.defaultBranch=main")
        subprocess.run(["git", *identity, *arguments], cwd=self.directory, check=True, capture_output=True)

    def commit(self, message: str) -> None:
        self.git("commit", "--allow-empty", "-m", message)


def check(directory: Path) -> tuple[int, str]:
    command = [sys.executable, "scripts/dev/commit_messages.py"]
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A repository whose history is older than the rule."""
    project = Project(tmp_path / "project")
    project.git("init")
    project.commit("An old subject. " * 10)
    project.git("add", ".")
    project.commit("Check commit messages")
    return project


def test_history_from_before_the_rule_is_left_alone(project: Project) -> None:
    assert check(project.directory) == (0, "")


def test_commits_since_the_rule_are_checked(project: Project) -> None:
    project.commit("Good")
    project.commit("Bad.")
    code, printed = check(project.directory)
    assert code == 1
    assert "the subject ends with a full stop: Bad." in printed
    assert "Good" not in printed


def test_a_branch_from_before_the_rule_may_be_merged(project: Project) -> None:
    project.git("checkout", "-b", "old", "HEAD~1")
    project.commit("Another old subject.")
    project.git("checkout", "-")
    project.git("merge", "--no-ff", "-m", "Merge the old branch.", "old")
    assert check(project.directory) == (0, "")


def test_a_shallow_clone_is_checked_as_far_as_it_goes(project: Project, tmp_path: Path) -> None:
    project.commit("Bad.")
    project.commit("Good")
    project.git("clone", "--depth", "1", f"file://{project.directory}", str(tmp_path / "clone"))
    assert check(tmp_path / "clone") == (0, "")


def test_without_a_repository_nothing_is_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    code, printed = check(Project(tmp_path / "export").directory)
    assert code == 0
    assert printed.startswith("No commit messages were checked: git says:")
