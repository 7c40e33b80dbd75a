"""What a turn asks for: votes of tokens are counted by text, heads are loaded by name, the loss learns."""

import torch

from facegpt_model.dialogue.intents import INTENTS
from facegpt_model.losses.intents import UNKNOWN, intent_loss
from facegpt_model.vlm.intent_head import NEVER, IntentHead
from facegpt_model.vlm.vote_head import counted


def test_votes_are_averaged_by_their_weights_within_each_text() -> None:
    votes = torch.tensor([[1.0, 0.0, 0.0], [0.0, 4.0, 0.0], [2.0, 2.0, 5.0]])
    logits = counted(votes, torch.tensor([0, 0, 1]), 3)
    assert torch.allclose(logits, torch.tensor([[0.5, 2.0], [2.0, 2.0], [0.0, 0.0]]))
    votes[1, 2] = 30.0
    assert torch.allclose(counted(votes, torch.tensor([0, 0, 1]), 2)[0], torch.tensor([0.0, 4.0]), atol=1e-4)


def test_a_head_is_loaded_by_the_names_of_its_intents() -> None:
    trained, fresh = IntentHead(8, intents=3), IntentHead(8)
    names = ["undo", "a tool of old", "talk"]
    fresh.take(trained.state_dict(), names)
    hidden = torch.randn(5, 8)
    rows = {intent.name: row for row, intent in enumerate(INTENTS)}
    old, new = trained(hidden), fresh(hidden)
    assert torch.allclose(new[:, [rows["undo"], rows["talk"], -1]], old[:, [0, 2, 3]], atol=1e-6)
    assert (new[:, rows["edit"]] == NEVER).all()


def test_the_loss_counts_known_intents_only_and_its_gradient_is_right() -> None:
    logits = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
    wanted = torch.tensor([0, UNKNOWN, 2, 1])
    assert torch.allclose(intent_loss(logits, wanted), intent_loss(logits[[0, 2, 3]], wanted[[0, 2, 3]]))
    assert torch.autograd.gradcheck(lambda x: intent_loss(x, wanted), logits)
    nothing = intent_loss(logits, torch.full((4,), UNKNOWN))
    nothing.backward()
    assert float(nothing.detach()) == 0.0 and not logits.grad.any()
    assert float(intent_loss(30 * torch.eye(3), torch.arange(3))) < 1e-6
