"""The environment of all templates: its filters show values, its globals know the request."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, PrefixLoader, StrictUndefined

from pages import charts, csrf, formats
from pages.assets import asset
from pages.presentation import presentation
from pages.translations import LANGUAGES, gettext, ngettext, pgettext

FOLDER = Path(__file__).parent / "templates"


def environment(folders: Mapping[str, Path], root: str = "") -> Environment:
    """An environment with the templates of these folders: `home/index.html` is `index.html` in the folder of `home`. `root` is the
    path below which the site stands."""
    loaders = {name: FileSystemLoader(folder) for name, folder in {"pages": FOLDER / "pages", **folders}.items()}
    made = Environment(
        loader=PrefixLoader(loaders),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
        auto_reload=False,
    )
    made.policies["ext.i18n.trimmed"] = True
    install: Any = made
    install.install_gettext_callables(gettext, ngettext, newstyle=True, pgettext=pgettext)
    made.globals.update(
        asset=asset,
        csrf_token=lambda: csrf.token_for(presentation().csrf_secret),
        csrf_field=csrf.FIELD,
        csrf_header=csrf.HEADER,
        languages=LANGUAGES,
        presentation=presentation,
        root=root,
    )
    made.filters.update(
        basis_points=formats.basis_points,
        chart_json=charts.as_json,
        count=formats.count,
        day=formats.day,
        moment=formats.moment,
        money=formats.money,
        points=formats.points,
        short=formats.short,
    )
    made.globals.update(nothing=formats.nothing, rate=formats.rate)
    return made
