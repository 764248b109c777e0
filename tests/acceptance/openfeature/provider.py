"""The OpenFeature SDK for Python with the OFREP provider: python provider.py ADDRESS KEY"""

from __future__ import annotations

import json
import sys
from typing import Any

from openfeature import api  # type: ignore[import-not-found]  # stands in an environment of its own
from openfeature.contrib.provider.ofrep import OFREPProvider  # type: ignore[import-not-found]  # the same
from openfeature.evaluation_context import EvaluationContext  # type: ignore[import-not-found]  # the same


def main(address: str, key: str) -> None:
    api.set_provider(OFREPProvider(address, headers_factory=lambda: {"X-API-Key": key}))
    client = api.get_client()
    who = EvaluationContext("u1", {"country": "DE"})

    def told(details: Any) -> dict[str, Any]:
        code = None if details.error_code is None else details.error_code.value
        return {
            "value": details.value, "variant": details.variant, "reason": str(details.reason), "errorCode": code,
            "metadata": dict(details.flag_metadata),
        }  # fmt: skip

    abroad = EvaluationContext("u1", {"country": "FR"})
    said: dict[str, Any] = {
        "plain": told(client.get_boolean_details("plain", False, who)),
        "text": told(client.get_string_details("greeting", "-", who)),
        "abroad": told(client.get_string_details("greeting", "-", abroad)),
        "number": told(client.get_float_details("size", 0.0, who)),
        "object": told(client.get_object_details("layout", {}, who)),
        "off": told(client.get_boolean_details("off", True, who)),
        "missing": told(client.get_boolean_details("nothing", True, who)),
        "wrong": told(client.get_string_details("plain", "mine", who)),
        "nobody": told(client.get_string_details("button", "mine", EvaluationContext())),
        "arms": {
            name: client.get_string_details("button", "mine", EvaluationContext(name)).variant
            for name in (f"py{n}" for n in range(40))
        },
    }
    print(json.dumps(said))


if __name__ == "__main__":
    main(*sys.argv[1:])
