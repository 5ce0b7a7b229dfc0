"""A group of commands that says which one was meant."""

from __future__ import annotations

import difflib

import click


class SuggestingGroup(click.Group):
    """Like click's own; a name that none of its commands has is answered with those that are near it."""

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        known = self.list_commands(ctx)
        if args and not args[0].startswith("-") and args[0] not in known:
            near = difflib.get_close_matches(args[0], known, 2)
            hint = f"; did you mean {' or '.join(near)}?" if near else f"; {ctx.command_path} --help lists them"
            raise click.UsageError(f"No such command {args[0]!r}{hint}", ctx)
        return super().resolve_command(ctx, args)
