"""Arranging rounds: a group's series, defined, changed from a date on, extended as time goes on, and ended.

What becomes of sessions that exist stands in `reconciling`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from conference_orchestrator.flows import clashing, series_inviting
from conference_orchestrator.flows.hosting import tell_of_series
from conference_orchestrator.flows.reconciling import Present, present, reconcile
from conference_orchestrator.flows.rounds import Touched, cancel_session, group_of, with_consequences
from conference_orchestrator.flows.waiting import offer_freed
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.errors import Conflict, Invalid, RuleBroken
from conference_orchestrator.kernel.inserting import insert, new_ids
from conference_orchestrator.kernel.paging import FIRST, Page, Paging
from conference_orchestrator.kernel.principal import SYSTEM, Principal
from conference_orchestrator.kernel.transaction import Transaction, transaction
from conference_orchestrator.network import expert_groups
from conference_orchestrator.network.expert_groups import ExpertGroup
from conference_orchestrator.scheduling import exceptions, recurrence, series, sessions, wording
from conference_orchestrator.scheduling.exceptions import ExceptionKind, SeriesException
from conference_orchestrator.scheduling.planning import Exceptions
from conference_orchestrator.scheduling.series import FARTHEST, Series
from conference_orchestrator.scheduling.sessions import Session

UNLESS_SAID: dict[str, Any] = {
    "ends_on": None,
    "break_minutes": 0,
    "host_margin_minutes": 0,
    "holiday_countries": [],
    "holiday_action": None,
    "from_on": None,
    "closed_at": None,
}


@dataclass(frozen=True)
class SeriesView:
    """A series as it was arranged, and what people should know about it: who is expected elsewhere at the time."""

    series: Series
    warnings: Sequence[str]

    @property
    def id(self) -> UUID:
        """The id of the series."""
        return self.series.id


@dataclass(frozen=True)
class ExceptionView:
    """An exception as it was added, with the same."""

    exception: SeriesException
    warnings: Sequence[str]


def define_series(group_id: UUID, entered: Mapping[str, Any], *, by: Principal) -> SeriesView:
    """Give the group a round. Its sessions of the 26-week horizon exist when this returns."""
    with transaction() as tx:
        group = expert_groups.get(group_id, visible_to=by, lock=True)
        defined = store_series(tx, group, entered)
        tx.record("series.define", defined, by=by)
        return SeriesView(defined, clashing.of_series(defined, after=tx.now))


def store_series(tx: Transaction, group: ExpertGroup, entered: Mapping[str, Any]) -> Series:
    """The same inside a transaction that is open already. Invalid, naming the field, when it cannot be held."""
    own = {"id": next(new_ids(1)), "version": 1, "created_at": tx.now, "group_id": group.id}
    defined = Series(**own, **UNLESS_SAID | _columns(entered))
    defined.check(now=tx.now)
    insert(defined)
    first, last = defined.horizon(now=tx.now)
    sessions.make(defined, list(defined.plan(Exceptions(), from_on=first, until_on=last).sessions.values()), now=tx.now)
    offer_freed(tx, group)
    tell_of_series(tx, defined.id, group_id=group.id)
    return defined


def series_of(group_id: UUID, *, by: Principal, paging: Paging = FIRST) -> Page[Series]:
    """The open series of a group within the asker's scope."""
    return series.listed(paging, group_id=expert_groups.get(group_id, visible_to=by).id)


def one_series(series_id: UUID, *, by: Principal) -> Series:
    """One series within the asker's scope."""
    found = series.get(series_id)
    group_of(found.group_id, by=by, thing="series")
    return found


def change_series(
    series_id: UUID, changes: Mapping[str, Any], *, by: Principal, expected: int | None = None, preview: bool = False
) -> SeriesView | Touched:
    """Change the round from the date `from_on` on, today unless it is given. Earlier sessions stay as they are.

    With `preview` only whom it would touch. NoHostFree when a session that moves finds no host account.
    """
    touched, seen = Touched(), None
    with transaction() as tx:
        changing, group = _locked(series_id, by=by)
        changing.must_match(expected)
        from_on = _from_on(changing, changes.get("from_on"), now=tx.now)
        _fill_until(changing, from_on - timedelta(days=1), now=tx.now)
        series_inviting.write_down(changing, group, now=tx.now)
        before, was_monthly = present(changing, from_on=from_on, now=tx.now), _is_monthly(changing)
        if from_on > changing.today(now=tx.now):
            series.keep_rule(changing, until_on=from_on - timedelta(days=1), at=tx.now)
        _change(changing, changes, from_on=from_on)
        changing.check(now=tx.now)
        touched = reconcile(tx, changing, group, before, monthly=was_monthly and _is_monthly(changing))
        tell_of_series(tx, changing.id, group_id=group.id)
        seen = SeriesView(changing, clashing.of_series(changing, after=tx.now))
        touched = replace(touched, warnings=tuple(seen.warnings))
        tx.record("series.change", changing, by=by)
        if preview:
            touched = with_consequences(tx, group, touched)
            tx.undo()
    return touched if preview or seen is None else seen


def exceptions_of(series_id: UUID, *, by: Principal, paging: Paging = FIRST) -> Page[SeriesException]:
    """The exceptions of a series within the asker's scope, by date."""
    return exceptions.listed(paging, series_id=one_series(series_id, by=by).id)


def add_exception(
    series_id: UUID, entered: Mapping[str, Any], *, by: Principal, expected: int | None = None, preview: bool = False
) -> ExceptionView | Touched:
    """Skip, move or add one date of the round, or let it pause; the sessions follow.

    With `preview` only whom it would touch. Conflict when the date has an exception already.
    """
    touched, seen = Touched(), None
    with transaction() as tx:
        changing, group = _locked(series_id, by=by)
        changing.must_match(expected)
        added = SeriesException(
            series_id=changing.id,
            occurrence_on=entered["on"],
            kind=entered["kind"],
            starts_at=entered.get("starts_at"),
            until_on=entered.get("until_on"),
            created_at=tx.now,
        )
        if any(one.occurrence_on == added.occurrence_on for one in exceptions.of_series(changing.id)):
            raise Conflict("This date has an exception already; take that one back first.")
        (ruling, before), *others = _standing(changing, added, now=tx.now)
        added.check(ruling, before.plan, now=tx.now)
        row = before.rows.get(added.occurrence_on)
        if row is not None and not row.left_out and added.kind != ExceptionKind.PAUSE:
            row.must_be_planned(at=tx.now, field="on")
        db.session.add(added)
        for of, stood in [(ruling, before), *others]:
            touched += reconcile(tx, of, group, stood)
        tell_of_series(tx, changing.id, group_id=group.id)
        seen = ExceptionView(added, clashing.of_sessions(_concerned(added, now=tx.now)))
        touched = replace(touched, warnings=tuple(seen.warnings))
        tx.record(f"exception.{added.kind}", changing, by=by)
        if preview:
            touched = with_consequences(tx, group, touched)
            tx.undo()
    return touched if preview or seen is None else seen


def remove_exception(
    series_id: UUID, which: UUID | date, *, by: Principal, expected: int | None = None, preview: bool = False
) -> Touched:
    """Take back the exception with that id, or for that date: the round is on these dates what its rule says.

    A session that it left out comes back; one that a person cancelled does not. With `preview` nothing is changed.
    """
    touched = Touched()
    with transaction() as tx:
        changing, group = _locked(series_id, by=by)
        changing.must_match(expected)
        removing = exceptions.get(changing.id, which)
        standing = _standing(changing, removing, now=tx.now)
        known_from = standing[0][0].first_on
        if changing.today(now=tx.now) <= removing.last_on < known_from:
            said = f"The round was changed from {wording.full(known_from)} on; what was before stands as it is."
            raise RuleBroken(said)
        db.session.delete(removing)
        db.session.flush()
        for of, stood in standing:
            touched += reconcile(tx, of, group, stood)
        tell_of_series(tx, changing.id, group_id=group.id)
        tx.record("exception.remove", changing, by=by)
        if preview:
            touched = with_consequences(tx, group, touched)
            tx.undo()
    return touched


def close_series(series_id: UUID, *, by: Principal, expected: int | None = None, preview: bool = False) -> Touched:
    """End the round: its coming sessions are cancelled, their requests go first on the waiting list.

    Whom it touches; with `preview` nothing is changed.
    """
    touched = Touched()
    with transaction() as tx:
        group = group_of(series.get(series_id).group_id, by=by, thing="series", lock=True)
        closing = series.get(series_id, lock=True)
        closing.must_match(expected)
        closing.closed_at = closing.closed_at or tx.now
        for session in sessions.of_series(closing.id, after=tx.now):
            touched += cancel_session(tx, session, group, "The round has ended.")
        tell_of_series(tx, closing.id, group_id=group.id)
        tx.record("series.close", closing, by=by)
        if preview:
            touched = with_consequences(tx, group, touched)
            tx.undo()
    return touched


def extend() -> None:
    """The timer's work: every open series gets the sessions that its horizon has grown by."""
    for series_id in series.open_series():
        with transaction() as tx:
            group = expert_groups.get(series.get(series_id).group_id, visible_to=SYSTEM, lock=True)
            extending = series.get(series_id, lock=True)
            if extending.closed_at is None and sessions.extend(extending, now=tx.now):
                offer_freed(tx, group)
                tell_of_series(tx, extending.id, group_id=group.id)


def _locked(series_id: UUID, *, by: Principal) -> tuple[Series, ExpertGroup]:
    group = group_of(series.get(series_id).group_id, by=by, thing="series", lock=True)
    found = series.get(series_id, lock=True)
    if found.closed_at is not None:
        raise RuleBroken("The round has ended; give the group a new one.")
    return found, group


def _columns(entered: Mapping[str, Any]) -> dict[str, Any]:
    """What was entered by the names of the columns."""
    values = dict(entered)
    if "holidays" in values:
        holidays = values.pop("holidays") or {"countries": [], "action": None}
        if holidays["action"] is not None and not holidays["countries"]:
            raise Invalid({"holidays.countries": "Name a country, or leave out the holidays."})
        values["holiday_countries"] = list(dict.fromkeys(holidays["countries"]))
        values["holiday_action"] = holidays["action"]
    return values


def _concerned(by: SeriesException, *, now: datetime) -> list[Session]:
    """The sessions that are planned on its dates."""
    coming = sessions.of_series(by.series_id, after=now)
    return [session for session in coming if by.occurrence_on <= session.occurrence_on <= by.last_on]


def _standing(of: Series, by: SeriesException, *, now: datetime) -> list[tuple[Series, Present]]:
    """How the series stands on the dates of the exception that are to come: by each rule that holds on some of them."""
    yesterday = now.date() - timedelta(days=1)  # somewhere it is still yesterday, by the clocks of one of the rules
    rules = series.rules_from(of, max(yesterday, by.occurrence_on))
    holding = [rules[0], *(rule for rule in rules[1:] if rule.first_on <= by.last_on)]
    return [
        (
            rule,
            present(
                rule,
                from_on=max(rule.today(now=now), rule.first_on),
                until_on=None if rule is of else rule.ends_on,
                now=now,
            ),
        )
        for rule in holding
    ]


def _from_on(changing: Series, wanted: date | None, *, now: datetime) -> date:
    """From which date on a change holds. A round that has not begun, and was not changed yet, changes as a whole."""
    today = changing.today(now=now)
    from_on = wanted or today
    if changing.from_on is None:
        from_on = max(from_on, changing.starts_on)
    if wanted is not None and wanted < today:
        raise Invalid({"from_on": "This date has passed; what was stays as it was."})
    if from_on > today + FARTHEST:
        raise Invalid({"from_on": "This date is more than 18 months away."})
    if from_on < changing.first_on:
        said = f"The round changes on {wording.full(changing.first_on)} already: give that date or a later one."
        raise Invalid({"from_on": said})
    return from_on


def _fill_until(changing: Series, last: date, *, now: datetime) -> None:
    """What the present rule yields before it changes exists from now on: afterwards only the new rule is known."""
    try:
        sessions.extend(changing, now=now, until_on=last)
    except Invalid as error:
        said = f"More than {recurrence.MOST} sessions lie before this date: choose an earlier one."
        raise Invalid({"from_on": said}) from error


def _change(changing: Series, changes: Mapping[str, Any], *, from_on: date) -> None:
    """The interval is counted from the same week or month as before, unless the rule itself is another one.

    When the whole round changes there is nothing before it, and it may change as a whole again.
    """
    values = _columns(changes) | {"from_on": from_on if from_on > changing.starts_on else changing.from_on}
    if values.get("rule", changing.rule) != changing.rule:
        values["starts_on"] = from_on
    for name, value in values.items():
        setattr(changing, name, value)


def _is_monthly(of: Series) -> bool:
    return recurrence.parse(of.rule).frequency == "MONTHLY"
