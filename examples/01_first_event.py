"""One click changes the next answer: the shortest way to see what Heedful does."""

from heedful import Heedful


def titles(h: Heedful, visitor: str) -> list[str]:
    """What `visitor` is shown now, each with the reason."""
    return [f"{shown.item_id}: {shown.reason.text}" for shown in h.recommend(visitor, limit=3).items]


def main() -> None:
    with Heedful(":memory:") as h:
        # Eight people look at tea things, twelve at garden things. Nobody is told what goes with what.
        for visitor in range(8):
            for item in ("teapot", "cup", "strainer"):
                h.track("Product Viewed", user_id=f"tea-{visitor}", properties={"product_id": item})
        for visitor in range(12):
            for item in ("spade", "gloves", "seeds"):
                h.track("Product Viewed", user_id=f"garden-{visitor}", properties={"product_id": item})

        print("Ada has done nothing yet, so she sees what is popular:")
        print(*titles(h, "ada"), sep="\n")

        answer = h.track("Product Viewed", user_id="ada", properties={"product_id": "teapot"})
        print(f"\nAda looks at a teapot ({answer.events[0].status}, position {answer.position}). Now:")
        print(*titles(h, "ada"), sep="\n")


if __name__ == "__main__":
    main()
