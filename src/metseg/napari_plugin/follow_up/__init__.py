"""The dock widget "Follow-up": two examinations of one patient side by side, lesions matched, what changed.

``state`` is without Qt; ``work`` runs in a thread and touches no layer that exists; ``controller`` keeps state, layers
and the second canvas (``earlier_view``, linked by ``linking``) in step; ``widget`` and ``change_table`` show the state.
"""

__all__: list[str] = []
