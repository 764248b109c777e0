"""How good are the answers? In the playground the truth is known, so it can be said.

Two weeks of a simulated shop are learned. Then people come for a department and open one thing there; the
engine has seen that click, nothing else is told. Each list is worth what that person would give for it on
average (1 a click, 3 a cart, 10 a purchase), beside the best list there is and beside plain popularity.
"""

from random import Random

from heedful import Heedful
from heedful.playground.world import OPENED, World
from heedful.vocabulary.time import DAY, SECOND, FixedClock, Instant, iso

DAYS, VISITS, PLACES = 14, 300, 10


def main() -> None:
    world, dice = World(seed=7, items=600, shoppers=300), Random(7)
    clock = FixedClock(Instant(OPENED + DAYS * DAY))
    with Heedful(":memory:", clock=clock) as h:
        h.put_items(world.items())
        history = list(world.events(OPENED, days=DAYS))
        for start in range(0, len(history), 400):
            h.batch(history[start : start + 400])
        print(f"{len(history):,} calls of {DAYS} days learned; {VISITS} visits of the day after:")
        worth = {"the best list": 0.0, "Heedful": 0.0, "popularity": 0.0}
        names = {shopper.id: shopper for shopper in world.shoppers()}
        for number, (at, person, goal) in enumerate(world.visits(clock.at, days=1)):
            if number == VISITS:
                break
            clock.at = at
            opened = dice.choice(world.best_list(person, at, 20, goal=goal))[0]
            who = {"user_id": person} if names[person].signed_in else {"anonymous_id": names[person].device}
            h.track("Product Viewed", **who, properties={"product_id": opened}, timestamp=iso(at))
            clock.at = Instant(at + SECOND)
            lists: dict[str, list[str]] = {
                "the best list": [
                    item for item, _ in world.best_list(person, at, PLACES, goal=goal, exclude=[opened])
                ],
                "Heedful": [item.item_id for item in h.recommend(**who, limit=PLACES).items],
                "popularity": [item.item_id for item in h.recommend(limit=PLACES).items],
            }
            for name, items in lists.items():
                worth[name] += world.list_value(person, items, at, goal)
    for name, value in worth.items():
        share = value / worth["the best list"]
        print(f"{name:14} {value / VISITS:6.3f} a visit  {share:5.0%}  {'█' * round(40 * share)}")


if __name__ == "__main__":
    main()
