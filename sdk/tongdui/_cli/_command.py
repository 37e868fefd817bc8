"""How a command is declared: a function of a session and of what it takes; `--json` and `--profile` come by themselves."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from functools import wraps
from typing import Annotated, Any, Concatenate, ParamSpec, get_type_hints

import typer
from typer.core import TyperGroup

from ._session import Session

P = ParamSpec("P")

_COMMON = [
    inspect.Parameter(
        "as_json",
        inspect.Parameter.KEYWORD_ONLY,
        default=False,
        annotation=Annotated[bool, typer.Option("--json", help="Print JSON; errors are problem documents on stderr.")],
    ),
    inspect.Parameter(
        "profile",
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[
            str | None,
            typer.Option("--profile", metavar="NAME", envvar="TONGDUI_PROFILE", help="The profile that `login` made."),
        ],
    ),
]

EXIT_CODES = (
    "Exit codes: 0 a good outcome; 1 a bad one (refused, rejected, not valid, needs attention); "
    "2 none (wrong use, no answer)."
)


class _Group(TyperGroup):
    """A group that is read without pydantic: typer loads it to read an option whose default is None, as `--help` has."""

    def get_help_option(self, ctx: Any) -> Any:
        """The option `--help`."""
        option = super().get_help_option(ctx)
        if option is not None:
            option.default = False
        return option


def group(name: str, help_text: str) -> typer.Typer:
    """Make a group of commands."""
    return typer.Typer(
        name=name,
        cls=_Group,
        help=help_text,
        epilog=EXIT_CODES,
        no_args_is_help=True,
        add_completion=False,
        # Plain help is there at once; rich takes longer to load than the command takes to answer.
        rich_markup_mode=None,
    )


def command(
    app: typer.Typer, name: str, *, epilog: str = EXIT_CODES, plain: bool = False
) -> Callable[[Callable[Concatenate[Session, P], int]], Callable[Concatenate[Session, P], int]]:
    """Register a function as a command of `app`. A parameter that is a dataclass stands for the options of its fields.

    Args:
        app: The group.
        name: What the command is called.
        epilog: What stands below its help.
        plain: Whether it goes without `--json` and `--profile`.

    Returns:
        A decorator. It leaves the function as it is.
    """

    def register(body: Callable[Concatenate[Session, P], int]) -> Callable[Concatenate[Session, P], int]:
        _, *own = inspect.signature(body, eval_str=True).parameters.values()
        grouped: dict[str, Any] = {
            parameter.name: parameter.annotation for parameter in own if is_dataclass(parameter.annotation)
        }
        # What is this command's own comes first in its help.
        sorted_own = sorted(own, key=lambda parameter: is_dataclass(parameter.annotation))
        parameters = [option for parameter in sorted_own for option in _options_of(parameter)]
        if not plain:
            parameters += _COMMON

        @wraps(body)
        def run(*, as_json: bool = False, profile: str | None = None, **arguments: Any) -> int:
            for name, group_type in grouped.items():
                arguments[name] = group_type(**{field.name: arguments.pop(field.name) for field in fields(group_type)})
            return body(Session(as_json=as_json, profile=profile), **arguments)  # type: ignore[call-arg]

        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        app.command(name, epilog=epilog, no_args_is_help=False)(run)
        return body

    return register


def _options_of(parameter: inspect.Parameter) -> list[inspect.Parameter]:
    kind = inspect.Parameter.KEYWORD_ONLY
    if not is_dataclass(parameter.annotation):
        return [parameter.replace(kind=kind)]
    hints = get_type_hints(parameter.annotation, include_extras=True)
    return [
        inspect.Parameter(
            field.name,
            kind,
            default=inspect.Parameter.empty if field.default is MISSING else field.default,
            annotation=hints[field.name],
        )
        for field in fields(parameter.annotation)
    ]
