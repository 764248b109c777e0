"""The catalogue: titles for reasons, categories for filters, and a switch that holds from the next answer on."""

from typing import Any

from heedful import Heedful

GOODS = [
    ("lamp-1", "Desk lamp", ["light"], 3900),
    ("lamp-2", "Floor lamp", ["light"], 12900),
    ("bulb", "Bulb", ["light", "spare"], 700),
    ("chair", "Oak chair", ["seat"], 24900),
]


def show(h: Heedful, question: str, **fields: Any) -> None:
    answer = h.recommend(item_id="lamp-1", limit=5, **fields)
    named = [
        f"{item.title} ({shown.reason.code})" for shown in answer.items if (item := h.item(shown.item_id))
    ]
    print(f"{question:42} {', '.join(named) or 'nothing'}")


def main() -> None:
    with Heedful(":memory:") as h:
        h.put_items(
            [
                {
                    "id": item,
                    "title": title,
                    "categories": kinds,
                    "price": {"minor": cents, "currency": "EUR"},
                }
                for item, title, kinds, cents in GOODS
            ]
        )
        for visitor in range(5):
            for item in ("lamp-1", "bulb", "lamp-2", "chair"):
                h.track("Product Viewed", anonymous_id=f"v-{visitor}", properties={"product_id": item})

        show(h, "On the desk lamp's page:")
        show(h, "Only what costs less than 50 euros:", filter={"field": "price", "op": "lt", "value": 5000})
        show(h, "Only light:", filter={"field": "category", "op": "eq", "value": "light"})
        show(h, "Without the bulb, which is in the basket:", exclude=["bulb"])

        h.put_item("lamp-2", title="Floor lamp", categories=["light"], available=False)
        show(h, "The floor lamp is sold out:")
        h.delete_item("chair")
        show(h, "The chair is deleted:")


if __name__ == "__main__":
    main()
