"""A ranker is fitted to your own history, judged on its newest part, and answers only if it is not worse.

Ten days of a simulated shop; then `heedful models fit`, which needs `heedful[fit]`. What answered before is one
command away: `heedful models rollback`.
"""

import subprocess
import sys
import tempfile

from heedful import Heedful
from heedful.playground.world import OPENED, World
from heedful.vocabulary.settings import Settings
from heedful.vocabulary.time import DAY, FixedClock, Instant

DAYS = 10


def heedful(*arguments: object) -> None:
    subprocess.run([sys.executable, "-m", "heedful", *map(str, arguments)], check=True)


def main() -> None:
    world = World(seed=7, items=400, shoppers=200)
    clock = FixedClock(Instant(OPENED + DAYS * DAY))
    with tempfile.TemporaryDirectory() as folder:
        with Heedful(folder, clock=clock, settings=Settings(holdout=0.0)) as h:
            h.put_items(world.items())
            history = list(world.events(OPENED, days=DAYS))
            for start in range(0, len(history), 400):
                h.batch(history[start : start + 400])
        heedful("models", "fit", "--data", folder)
        heedful("models", "list", "--data", folder)
        with Heedful(folder, clock=clock, settings=Settings(holdout=0.0)) as h:
            shopper = next(one for one in world.shoppers() if one.signed_in)
            answer = h.recommend(shopper.id, limit=1, explain=True)
            trace = answer.trace or {}
            print(f"\n{shopper.id} is shown {answer.items[0].item_id}, ranked by {trace['model']}.")
            print("What spoke for it:")
            best = max(range(len(trace["candidates"])), key=lambda row: trace["candidates"][row]["score"])
            shares = sorted(trace["shares"][best].items(), key=lambda share: -abs(share[1]))
            print(*(f"  {group:12} {share:+.2f}" for group, share in shares[:5]), sep="\n")


if __name__ == "__main__":
    main()
