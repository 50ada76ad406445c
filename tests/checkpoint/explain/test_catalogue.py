"""The modes themselves: complete, true to the tables, readable."""

import re

import pytest

from ckptmatrix.checkpoint.explain.catalogue import catalogue
from ckptmatrix.checkpoint.explain.words import filled, with_versions


@pytest.mark.parametrize("mode", sorted(catalogue()))
def test_entry_is_complete(mode: str) -> None:
    entry = catalogue()[mode]
    assert entry.match
    assert entry.cause
    assert all(link.startswith("https://") for link in entry.links)
    assert all(cause.tell and cause.remedy for cause in entry.cause)
    assert len({cause.id for cause in entry.cause}) == len(entry.cause)


@pytest.mark.parametrize("mode", sorted(catalogue()))
def test_placeholders_have_something_to_stand_for_them(mode: str) -> None:
    entry = catalogue()[mode]
    texts = [entry.title, *(t for c in entry.cause for t in (c.title, c.tell, c.remedy, c.command))]
    named = {name for text in texts for name in re.findall(r"\{([a-z]+)\}", text)}
    assert named <= {"dir", *entry.defaults}


@pytest.mark.parametrize("mode", sorted(catalogue()))
def test_commands_are_one_line_of_a_terminal(mode: str) -> None:
    for cause in catalogue()[mode].cause:
        command = filled(cause.command, {"dir": "DIR"}, catalogue()[mode].defaults)
        assert "\n" not in command
        assert len(command) <= 100


@pytest.mark.parametrize("mode", sorted(catalogue()))
def test_signs_and_certainty_can_be_told(mode: str) -> None:
    """A cause that is certain by versions says which; a mode covers modes that are there."""
    entry = catalogue()[mode]
    assert all(cause.versions for cause in entry.cause if cause.certain)
    assert set(entry.covers) <= set(catalogue())


def test_versions_stand_for_what_they_do() -> None:
    assert with_versions("{from accelerate step=demanded}") == "0.32"
    assert with_versions("{span accelerate step=demanded}") == "0.32.0 to 0.33.0"
    assert with_versions("{spec accelerate step=demanded}") == ">=0.32.0,<0.34.0"
    assert with_versions("{spec torch refuses_by_default=true}") == ">=2.6"
    assert with_versions(
        "{from torch cuda_state_bytes=16} {value accelerate weights_only_from}"
    ) == ("2.1 2.4")
    assert with_versions('load_kwargs={"weights_only": False} {dir}') == (
        'load_kwargs={"weights_only": False} {dir}'
    )


@pytest.mark.parametrize("text", ["{from accelerate no_such=1}", "{spec accelerate step=never}"])
def test_a_setting_that_is_not_in_the_table_is_an_error(text: str) -> None:
    with pytest.raises((AttributeError, ValueError)):
        with_versions(text)
