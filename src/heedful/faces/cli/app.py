"""The `heedful` command and its exit codes: 0 done, 1 it could not be done, 2 it was asked wrongly."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import typer

from heedful.faces.cli import (
    ask,
    audit,
    bring_in,
    check,
    consent,
    demo,
    disclose,
    experiment_results,
    flags,
    forget,
    keys,
    models,
    people,
    privacy,
    replay,
    requests,
    serve,
    tell,
    tokens,
    vault,
)
from heedful.faces.cli.console import say_error
from heedful.faces.cli.opener import Opener
from heedful.faces.http.logs import configure
from heedful.vocabulary.errors import HeedfulError, Invalid, SettingsError

_WRONGLY_ASKED = next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException")
"""What every complaint about the command line is a kind of. Typer brings its own click, or uses the public one."""


def build(opener: Opener) -> typer.Typer:
    """The whole command line, over a way to open engines."""
    app = typer.Typer(
        name="heedful",
        help="Real-time personalization that learns from each event, says why, and forgets exactly.",
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )

    @app.callback()
    def entry(context: typer.Context) -> None:
        context.obj = opener
        configure(sys.stderr)

    serve.add_to(app)
    demo.add_to(app)
    bring_in.add_to(app)
    ask.add_to(app)
    replay.add_to(app)
    tell.add_to(app)
    check.add_to(app)
    disclose.add_to(app)
    forget.add_to(app)
    app.add_typer(keys.app, name="keys")
    app.add_typer(people.app, name="people")
    app.add_typer(consent.app, name="consent")
    app.add_typer(tokens.app, name="tokens")
    app.add_typer(audit.app, name="audit")
    app.add_typer(models.app, name="models")
    app.add_typer(experiment_results.app, name="experiments")
    app.add_typer(vault.app, name="vault")
    app.add_typer(requests.app, name="requests")
    app.add_typer(privacy.app, name="privacy")
    app.add_typer(flags.app, name="flags")
    return app


def run(opener: Opener, arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    command = typer.main.get_command(build(opener))
    try:
        result = command.main(args=list(arguments) if arguments is not None else None, standalone_mode=False)
    except typer.Abort:
        return 1
    except (Invalid, SettingsError) as error:
        say_error(f"heedful: {error}")
        return 2
    except (HeedfulError, OSError) as error:
        say_error(f"heedful: {error}")
        return 1
    except Exception as error:
        if not isinstance(error, _WRONGLY_ASKED):
            raise
        error.show(sys.stderr)  # type: ignore[attr-defined]  # only the class's name is known
        return 2
    return result if isinstance(result, int) else 0
