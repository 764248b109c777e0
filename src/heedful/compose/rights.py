"""Builds what serves people's rights, over an engine's parts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from heedful.log.codec import decode
from heedful.log.commit import GroupCommit
from heedful.log.cursor import decode_cursor
from heedful.log.log import Bodies
from heedful.models.shelf import Shelf
from heedful.objects.outgoing import Outgoing
from heedful.privacy.changes import reader
from heedful.privacy.purposes import Purposes
from heedful.records.records import Records
from heedful.services.disclose import Disclose, Model
from heedful.services.engine import PATIENCE
from heedful.services.forget.forget import Forget
from heedful.services.recall import Recall
from heedful.services.rights.acts import Acts
from heedful.services.rights.erase import Erase
from heedful.services.rights.opendsr import OpenDsr
from heedful.services.rights.person import Me
from heedful.services.rights.requests import Requests
from heedful.services.rights.rights import Rights
from heedful.vault.processor_key import processor_key
from heedful.vault.pseudonyms import Pseudonyms
from heedful.views.fold import Fold
from heedful.views.index import FoldReader
from heedful.vocabulary.errors import HeedfulError
from heedful.vocabulary.event import Position, offset_of, partition_of
from heedful.vocabulary.ids import SubjectId
from heedful.vocabulary.settings import RightsSettings
from heedful.vocabulary.time import Clock

PROCESSOR_KEY = "opendsr.pem"


def rights_over(
    *,
    log: Bodies,
    places: Callable[[Sequence[SubjectId]], list[Position]] | None,
    fold: Fold,
    commits: GroupCommit,
    records: Records,
    recall: Recall,
    shelf: Shelf | None,
    pseudonyms: Pseudonyms,
    purposes: Purposes,
    forgetting: Forget,
    settings: RightsSettings,
    folder: Path | None,
    clock: Clock,
) -> Rights:
    """places: finds a person's records without the views, where the log can.

    folder: where the processor's key lies; None for one that lives as long as the process.
    """
    index = FoldReader(fold.subjects, fold.history, fold.claims, log)
    changes = reader(purposes)
    disclose = Disclose(
        bodies=log,
        find=places or partial(_indexed, index),
        decode=decode,
        fold=fold,
        recall=recall,
        pseudonyms=pseudonyms,
        purposes=purposes,
        changes=changes,
        models=partial(_models, shelf),
        clock=clock,
        settle=lambda: None if commits.later is not None else _flush(commits),
        contact=settings.contact,
    )
    acts = Acts(commits, purposes, Erase(forgetting, index), clock)
    requests = Requests(records, acts, clock)
    me = Me(
        fold=fold,
        index=index,
        disclose=disclose,
        acts=acts,
        requests=requests,
        purposes=purposes,
        changes=changes,
        decode=decode,
        clock=clock,
    )
    key = partial(processor_key, None if folder is None else folder / PROCESSOR_KEY, settings.domain)
    opendsr = OpenDsr(requests, pseudonyms, key, Outgoing(), clock, domain=settings.domain)
    requests.changed = opendsr.changed
    return Rights(disclose, requests, me, opendsr, purposes, settings.contact)


def _flush(commits: GroupCommit) -> None:
    commits.flush(PATIENCE)  # answers given a moment ago are still on their way into the log


def _indexed(index: FoldReader, subjects: Sequence[SubjectId]) -> list[Position]:
    """For a log that cannot be searched by envelope: what the fold knows of them."""
    return sorted({place for subject in subjects for place in index.positions(subject)})


def _models(shelf: Shelf | None, first: Position) -> list[Model]:
    """The models that were fitted to a log that held the record at `first`."""
    found = []
    for version in () if shelf is None else shelf.list():
        try:
            read = decode_cursor(version.facts.position).offset(partition_of(first)) >= offset_of(first)
        except HeedfulError:
            read = True  # of a position that cannot be read nobody can say that it is earlier
        if read:
            found.append(
                Model(version.id, version.facts.kind, version.facts.place, version.created, version.state)
            )
    return found
