"""An order is a claim: repeated it counts once, and a cancellation takes it back as if it had never been."""

from heedful import Heedful

ORDER = {
    "order_id": "o-9",
    "currency": "EUR",
    "products": [
        {"product_id": "tent", "price": 189.00, "quantity": 1},
        {"product_id": "stove", "price": 49.90, "quantity": 1},
    ],
}


def told(h: Heedful) -> str:
    """What the engine makes of everything so far, by view: the first digits of each digest."""
    return "  ".join(
        f"{name} {digest[:8]}" for name, digest in h.engine.fold.digests().items() if name in VIEWS
    )


def shown(h: Heedful, person: str) -> str:
    return ", ".join(item.item_id for item in h.recommend(person, item_id="map").items)


VIEWS = ("sessions", "trends")


def main() -> None:
    with Heedful(":memory:") as h:
        for person in ("ann", "bob", "cy"):
            for item in ("map", "tent", "stove", "lantern"):
                h.track("Product Viewed", user_id=person, properties={"product_id": item})
        print(f"before             {told(h)}")
        print(f"  Ann is shown     {shown(h, 'ann')}\n")

        h.track("Order Completed", user_id="ann", message_id="m-1", properties=ORDER)
        print(f"Ann orders         {told(h)}")
        print(f"  Ann is shown     {shown(h, 'ann')}   (what she has is left out)\n")

        again = h.track("Order Completed", user_id="ann", message_id="m-1", properties=ORDER)
        print(f"the same message   {told(h)}   {again.events[0].status}")
        again = h.track("Order Completed", user_id="ann", message_id="m-2", properties=ORDER)
        print(f"the same order     {told(h)}   {again.events[0].status}, and counts nothing\n")

        h.track("Order Cancelled", user_id="ann", properties={"order_id": "o-9"})
        print(f"Ann cancels        {told(h)}   as before the order")
        print(f"  Ann is shown     {shown(h, 'ann')}")


if __name__ == "__main__":
    main()
