"""An experiment from its draft to the decision: who gets what, what came of it, and whether that is sure.

Half of the visitors see what is popular, half what the engine answers by itself. Here the second half clicks more.
"""

from random import Random

from heedful import Heedful
from heedful.experiments.inference.answers import Refusal
from heedful.services.experiments.guard import figures

GOODS = ("kettle", "teapot", "cup", "strainer", "samovar", "tray")


def main() -> None:
    dice = Random(7)
    with Heedful(":memory:") as h:
        h.put_items([{"id": name, "title": name} for name in GOODS])
        for visitor in range(40):
            for item in dice.sample(GOODS, 3):
                h.track("Product Viewed", user_id=f"before-{visitor}", properties={"product_id": item})

        h.put_experiment(
            "by-itself",
            on={"kind": "placement", "name": "home"},
            arms=[{"key": "popular", "value": {"policy": "popular"}}, {"key": "learned"}],
            metrics=["clicked", "clicks"],
            guardrails=[{"metric": "carted", "margin": 0.1}],
            statistics={"kind": "sequential", "units": 1_000},
        )
        for check in h.experiment_checks("by-itself"):
            print(f"check {check.name}: {'holds' if check.ok else check.why}")
        h.start_experiment("by-itself", note="three weeks, then we decide")

        for visitor in range(1_000):
            who = f"v-{visitor}"
            answer = h.recommend(who, placement="home", limit=3)
            arm = dict(answer.arms)["by-itself"]  # the answer is the exposure
            if dice.random() < (0.3 if arm == "popular" else 0.5):
                item, context = answer.items[0].item_id, {"decisionId": answer.decision_id}
                h.track("Product Clicked", user_id=who, properties={"product_id": item}, context=context)

        result = h.experiment_results("by-itself", scale="absolute")
        units = ", ".join(f"{one.arm} {one.units}" for one in result.arms)
        print(f"units: {units}")
        for row in result.rows:
            if isinstance(row.answer, Refusal):
                print(f"{row.metric}: nothing can be said. {row.answer.why}")
            else:
                verdict = "improved" if row.improved else "not sure"
                print(f"{row.metric}: {figures(row.answer)}, {verdict}")

        h.stop_experiment("by-itself", "ship", "learned", note="clearly better")
        version = h.roll_out_experiment("by-itself")
        if version.experiment is not None:
            print(f"{version.experiment.status.value}, everybody gets {version.experiment.shipped}")


if __name__ == "__main__":
    main()
