"""A later object never overtakes an earlier one, and what nobody came back for is found."""

from __future__ import annotations

from datetime import timedelta

import pytest

from conference_orchestrator.flows import delivering
from conference_orchestrator.flows.delivering import LOST_AFTER
from conference_orchestrator.notify.sending import Deferred, Lost, Refused
from tests.house import House
from tests.post import A_SECOND, DELIVER, Killed, Post, alert, chain, ids, sent_objects, tell, told
from tests.scene import settle


def test_a_later_object_never_overtakes_an_earlier_one(house: House, post: Post) -> None:
    tell(chain(1))
    tell(chain(2))
    request, cancel = ids()
    delivering.deliver([cancel])
    assert post.sent == []
    delivering.deliver([request, cancel])
    assert [identifier for _, identifier in post.sent] == [delivering.message_id(i) for i in (request, cancel)]


@pytest.mark.parametrize("trouble", [Deferred("450 greylisted"), Lost("silence")])
def test_it_waits_while_the_earlier_one_is_deferred_or_in_doubt(house: House, post: Post, trouble: Exception) -> None:
    post.troubles["ines"] = [trouble]
    tell(chain(1))
    tell(chain(2))
    request, cancel = ids()
    delivering.deliver([request])
    delivering.deliver([cancel])
    assert sent_objects() == []
    settle(house, DELIVER)
    assert sent_objects() == ["object 1", "object 2"]
    assert post.sent[-1] == ("ines", delivering.message_id(cancel))


def test_both_go_in_one_batch_one_after_the_other(house: House, post: Post) -> None:
    tell(chain(1))
    tell(chain(2))
    delivering.deliver(ids())
    assert sent_objects() == ["object 1", "object 2"]


@pytest.mark.parametrize("trouble", [[Refused("550")], [Lost("silence")] * 3])
def test_it_goes_once_the_earlier_one_is_given_up(house: House, post: Post, trouble: list[Exception]) -> None:
    post.troubles["ines"] = [*trouble]
    tell(chain(1))
    tell(chain(2))
    settle(house, DELIVER)
    assert sent_objects() == ["object 2"]


def test_who_waits_for_an_earlier_one_is_not_asked_for_again_and_again(house: House, post: Post) -> None:
    """Greylisting of an hour and more must not let tasks multiply, nor keep anybody busy."""
    post.troubles["ines"] = [Deferred("450 greylisted")] * 9
    tell(chain(1))
    tell(chain(2))
    ran = 0
    end = house.clock.at + timedelta(hours=1)
    while house.clock.at < end:
        delivering.deliver_overdue()
        ran += settle(house, DELIVER, moving_the_clock=False)
        assert len(house.queue.of_kind(DELIVER)) <= 2
        house.clock.move_on(timedelta(minutes=1))
    assert sent_objects() == []
    assert ran < 30
    settle(house, DELIVER)
    assert sent_objects() == ["object 1", "object 2"]


def test_a_message_whose_task_was_lost_is_found(house: House, post: Post) -> None:
    tell(alert("a"))
    house.queue.tasks.clear()
    house.clock.move_on(LOST_AFTER)
    delivering.deliver_overdue()
    assert house.queue.tasks == [], "its task may still come"
    house.clock.move_on(A_SECOND)
    delivering.deliver_overdue()
    settle(house, DELIVER)
    assert post.names() == ["a"]


def test_what_is_done_waits_or_is_in_hand_is_not_overdue(house: House, post: Post) -> None:
    post.troubles["waits"] = [Deferred("450")] * 7
    post.troubles["hand"] = [Killed()]
    tell(alert("sent"), alert("waits"))
    settle(house, DELIVER, moving_the_clock=False)
    tell(alert("hand"))
    house.clock.move_on(timedelta(hours=1))
    delivering.deliver([told("waits").id])
    with pytest.raises(Killed):
        delivering.deliver([told("hand").id])
    house.queue.tasks.clear()
    delivering.deliver_overdue()
    assert [told("sent").state, told("waits").state, told("hand").state] == ["sent", "deferred", "sending"]
    assert house.queue.tasks == []
