"""A process that folds what others wrote to Kafka and answers: one question a line in, one answer a line out."""

from __future__ import annotations

import sys

import msgspec

from heedful.compose import engine_over
from heedful.log.kafka import KafkaLog
from heedful.services.verify import catch_up
from heedful.vocabulary.recommendation import RecommendRequest


def main(servers: str, topic: str, secret: str) -> None:
    log = KafkaLog(servers, topic)
    engine = engine_over(log, bytes.fromhex(secret))
    for line in sys.stdin:
        catch_up(engine.fold, log)
        request = msgspec.json.decode(line, type=RecommendRequest)
        answer = engine.recommending.recommend(request)
        ids = [item.item_id for item in answer.items]
        digests = engine.fold.digests()
        print(msgspec.json.encode([ids, answer.position, digests]).decode(), flush=True)
    engine.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
