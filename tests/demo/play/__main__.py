"""Plays against a running Tidings, whose worker has to reach loopback and which is otherwise quiet.

`python -m tests.demo.play --url http://127.0.0.1:8000 --key KEY --seed 7 --persons 300 --funnel spring
--survey nps=Title`
"""

import argparse
import secrets
import time

from tests.demo.play.day import Day, Plan, read_catalogue
from tests.demo.play.player import Api


def main() -> None:
    arguments = _arguments()
    api = Api(arguments.url.rstrip("/"), arguments.key)
    catalogue = read_catalogue(api, arguments.funnel, dict(arguments.survey), arguments.currency)
    plan = Plan(
        seed=arguments.seed,
        persons=arguments.persons,
        run=arguments.run,
        completion_seconds=arguments.completion_seconds,
        lanes=arguments.lanes,
        only=arguments.only,
        without=frozenset(arguments.without),
    )
    print(plan)
    began = time.monotonic()
    day = Day(api, plan, catalogue)
    day.play()
    seconds = time.monotonic() - began
    print(
        f"{day.calls} calls, {len(day.expected)} events, {day.postbacks} postbacks in {seconds:.0f} s: as the rules say"
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.demo.play", description=__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--key", required=True, help="an API key of both scopes")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--persons", type=int, default=100)
    parser.add_argument("--lanes", type=int, default=4, help="how many threads call")
    parser.add_argument("--only", type=int, help="the number of the only person to play")
    parser.add_argument("--run", default=secrets.token_hex(4), help="keeps e-mails and references of runs apart")
    parser.add_argument("--completion-seconds", type=float, default=1800, help="FUNNEL_COMPLETION_SECONDS there")
    parser.add_argument("--currency", default="USD", help="DEFAULT_CURRENCY there")
    parser.add_argument("--funnel", action="append", required=True, metavar="SLUG")
    parser.add_argument("--survey", action="append", default=[], type=_survey, metavar="SLUG=TITLE")
    parser.add_argument("--without", action="append", default=[], metavar="STEP", help="leave out this kind of step")
    arguments = parser.parse_args()
    if not arguments.survey:
        arguments.without.append("survey")
    return arguments


def _survey(text: str) -> tuple[str, str]:
    slug, separator, title = text.partition("=")
    if not separator:
        raise argparse.ArgumentTypeError("SLUG=TITLE")
    return slug, title


if __name__ == "__main__":
    main()
