"""Pages from Jinja2 templates: every text is escaped, and a page is one self-contained file."""

import re
from base64 import b64encode
from functools import cache
from typing import TYPE_CHECKING, Any

from facedistill.errors import UsageError
from facedistill.evaluation.results import percent_with_interval
from facedistill.printable import printable
from facedistill.report.tables import resolution_title

if TYPE_CHECKING:
    from jinja2 import Environment

_DIGEST = re.compile(r"\b([0-9a-f]{64})\b")


def render(template: str, **context: Any) -> str:
    """The page that a template of this package makes.

    Args:
        template: Its name under `templates/`.
        **context: Its variables; strings are escaped unless they are `markupsafe.Markup`, and control characters shown
            as `printable` does.

    Raises:
        UsageError: Jinja2 is not installed.
    """
    return _environment().get_template(template).render(**context)


@cache
def _environment() -> "Environment":
    try:
        from jinja2 import Environment, PackageLoader, StrictUndefined
    except ImportError as error:
        raise UsageError("the report needs jinja2: pip install 'facedistill[train]'") from error

    environment = Environment(
        loader=PackageLoader("facedistill.report"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=lambda value: printable(value, keep="\n\t") if type(value) is str else value,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "base64": lambda data: b64encode(data).decode(),
        "most_panels": _most_panels,
        "percent_with_interval": percent_with_interval,
        "prose": lambda text: text.replace(" %", "\u00a0%"),  # a figure stays on one line with its per cent sign
        "resolution_title": resolution_title,
        "split_digests": _split_digests,
    }
    return environment


def _split_digests(text: str) -> list[tuple[bool, str]]:
    """The text in pieces, each with whether it is a SHA-256."""
    return [(bool(number % 2), piece) for number, piece in enumerate(_DIGEST.split(text)) if piece]


def _most_panels(page: str) -> int:
    """The panels of the largest choice on a page; the style sheet has a rule for each."""
    return max((group.count('class="panel"') for group in page.split('class="tabs"')), default=0)
