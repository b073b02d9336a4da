"""Reading stored conditions: what is wrong is said, all of it, and what was read comes out as it went in."""

from __future__ import annotations

import pytest

from campaigns.smart_groups import ConditionsError, read
from campaigns.smart_groups.conditions import MAX_CONDITIONS, MAX_DEPTH, to_json
from tests.campaigns.smart_groups.conditions import attribute, block, on, stored

GOOD = stored(
    on("group", "in", 7),
    attribute("city", "equals", "Kazan"),
    attribute("age", "at_least", 18, "number"),
    attribute("born", "before", "2000-01-01", "date"),
    attribute("vip", "yes", kind="yes_no"),
    block(on("consent", "equals", "given"), on("email", "filled"), combine="any"),
    block(on("message", "was", campaign=3, became="delivered", days=30), combine="none"),
    on("reply", "no", days=None),
    on("created_at", "in_last_days", 7),
)


def problems_of(conditions) -> list[str]:
    with pytest.raises(ConditionsError) as refused:
        read(conditions)
    return refused.value.problems


def test_what_was_read_comes_out_as_it_went_in():
    assert to_json(read(GOOD)) == GOOD


def test_numbers_that_a_form_sends_as_text_are_numbers():
    block = read(
        stored(on("group", "in", "7"), attribute("a", "equals", "1,5", "number"), on("reply", "yes", days="3"))
    )
    assert [(c.value, c.days) for c in block.conditions()] == [(7, None), (1.5, None), (None, 3)]


@pytest.mark.parametrize("conditions", [None, [], "x", {}, {"version": 1}, {"version": 1, "match": []}])
def test_what_are_no_conditions_is_refused(conditions):
    assert problems_of(conditions) == ["There are no conditions that could be read."]


def test_another_version_is_refused():
    assert "another version" in problems_of({**GOOD, "version": 2})[0]


@pytest.mark.parametrize(
    ("condition", "problem"),
    [
        ("x", "choose what it looks at"),
        (on("salary", "equals", 1), "choose what it looks at"),
        (on("first_name", "at_least", "a"), "choose how “First name” is compared"),
        (on("first_name", "equals"), "write what it is compared with"),
        (on("first_name", "equals", " "), "write what it is compared with"),
        (on("first_name", "equals", "a\0"), "longer than"),
        (on("first_name", "equals", "a" * 201), "longer than 200"),
        (on("first_name", "equals", 7), "write what it is compared with"),
        (on("group", "in"), "choose a group"),
        (on("group", "in", True), "choose a group"),
        (on("group", "in", -1), "choose a group"),
        (on("group", "in", 2**70), "choose a group"),
        (on("import", "in", "x"), "choose an import"),
        (on("consent", "equals", "maybe"), "choose the state of the consent"),
        (on("created_at", "in_last_days", 0), "days from 1 to"),
        (on("created_at", "in_last_days", True), "days from 1 to"),
        (on("created_at", "before", "soon"), "choose a date"),
        (on("message", "was", campaign="x"), "choose a campaign"),
        (on("message", "was", became="eaten"), "choose what became"),
        (on("message", "was", days=99999), "days from 1 to"),
        (attribute("", "equals", "x"), "say which other field"),
        (attribute('a"b', "equals", "x"), "cannot be the name of a field"),
        (attribute("age", "equals", "many", "number"), "write a number"),
        (attribute("age", "equals", float("nan"), "number"), "write a number"),
        (attribute("age", "equals", 1e300, "number"), "write a number"),
        (attribute("age", "contains", "1", "number"), "choose how “age” is compared"),
        (attribute("day", "after", 5, "date"), "choose a date"),
        (attribute("day", "filled", kind="moon"), "the kind of “day” is not known"),
    ],
)
def test_a_condition_that_cannot_be_read_is_named_with_what_to_do(condition, problem):
    (said,) = problems_of(stored(on("email", "filled"), condition))
    assert said.startswith("Condition 2: ")
    assert problem in said


def test_all_problems_are_said_at_once():
    assert len(problems_of(stored(on("group", "in"), block(), on("import", "in")))) == 3


def test_a_block_that_is_none_is_refused():
    assert problems_of(stored(combine="some")) == ["A block of conditions cannot be read."]
    assert problems_of(stored(block(on("email", "filled"), combine="xor")))


def test_an_empty_block_means_nobody_knows_what():
    assert "no conditions" in problems_of(stored())[0]


def test_blocks_and_conditions_have_an_end():
    deep = on("email", "filled")
    for _level in range(MAX_DEPTH):
        deep = block(deep)
    assert "deep at most" in problems_of(stored(deep))[0]
    assert "conditions at most" in problems_of(stored(*[on("email", "filled")] * (MAX_CONDITIONS + 1)))[0]
