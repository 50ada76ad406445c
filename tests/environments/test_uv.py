"""What uv says, in a sentence."""

from ckptmatrix.environments.uv import one_sentence

CONFLICT = """\
  × No solution found when resolving dependencies:
  ╰─▶ Because accelerate==0.33.0 depends on numpy>=1.17,<2.0.0 and you require accelerate==0.33.0,
      we can conclude that you require numpy>=1.17,<2.0.0.
      And because you require numpy==2.4.1, we can conclude that they are unsatisfiable.
"""


def test_the_resolvers_reason_in_one_sentence() -> None:
    reason = one_sentence(CONFLICT)
    assert "accelerate==0.33.0 depends on numpy>=1.17,<2.0.0" in reason
    assert "conclude" not in reason
    assert "\n" not in reason
    assert one_sentence("error: Failed to fetch `x`\n") == "Failed to fetch `x`"
    assert one_sentence("")
