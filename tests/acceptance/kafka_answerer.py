"""A process that folds what others wrote to Kafka and answers: one question a line in, one answer a line out."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec

from heedful.compose import engine_over
from heedful.compose.vaults import vault_of
from heedful.log.kafka import KafkaLog
from heedful.services.verify import catch_up
from heedful.vocabulary.recommendation import RecommendRequest
from heedful.vocabulary.settings import VaultSettings
from heedful.vocabulary.time import SystemClock


def main(servers: str, topic: str, secret: str, folder: str) -> None:
    log = KafkaLog(servers, topic)
    vault = vault_of(Path(folder), VaultSettings(), SystemClock())
    engine = engine_over(log, vault, bytes.fromhex(secret))
    for line in sys.stdin:
        catch_up(engine.fold, engine.log)
        request = msgspec.json.decode(line, type=RecommendRequest)
        answer = engine.recommending.recommend(request)
        ids = [item.item_id for item in answer.items]
        digests = engine.fold.digests()
        print(msgspec.json.encode([ids, answer.position, digests]).decode(), flush=True)
    engine.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
