"""A placement is a definition that holds from the next answer on; content is chosen by what it earns."""

from heedful import Heedful

GOODS = {"kettle": 4_900, "teapot": 3_900, "cup": 900, "strainer": 700, "samovar": 39_900}


def shown(h: Heedful) -> str:
    answer = h.recommend("ada", placement="tea-page", limit=4)
    return ", ".join(f"{item.item_id} ({item.reason.code})" for item in answer.items)


def main() -> None:
    with Heedful(":memory:") as h:
        h.put_items([{"id": name, "title": name, "price": {"minor": cents}} for name, cents in GOODS.items()])
        for visitor in range(8):
            for item in GOODS:
                h.track("Product Viewed", user_id=f"v-{visitor}", properties={"product_id": item})
        h.track("Product Viewed", user_id="ada", properties={"product_id": "teapot"})
        print("Without a definition: ", shown(h))

        cheap = {"field": "price", "op": "lt", "value": 10_000}
        rules = [
            {"rule": "include", "name": "cheap", "where": cheap},
            {"rule": "pin", "name": "offer", "item": "strainer", "place": 1},
        ]
        defined = h.put_placement("tea-page", rules=rules, note="nothing above 100, the offer first")
        print(f"With version {defined.version}:       ", shown(h))
        h.delete_placement("tea-page")
        print("Taken away again:     ", shown(h))

        # Which banner? Every choice says how likely it was; a click that names it teaches the next choice.
        for visitor in range(300):
            choice = h.decide(f"b-{visitor}", placement="banner", variants=["steam", "cups"])
            if choice.variant == "cups" or visitor % 5 == 0:
                context = {"decisionId": choice.decision_id}
                h.track("click", user_id=f"b-{visitor}", context=context)
        last = h.decide("somebody", placement="banner", variants=["steam", "cups"])
        print(f"The banner with cups is now shown with probability {last.propensities['cups']:.3f}")


if __name__ == "__main__":
    main()
