"""
How this package reports upward. The sender is the backend's class.

A receiver must not lose what it is given: one that raises makes the webhook answer 500, so that the provider tries
again. The same call may come twice and in any order.
"""

from __future__ import annotations

from django.dispatch import Signal

#: kwargs: gateway (alias), receipts (list[DeliveryReceipt])
receipts_received = Signal()
#: kwargs: gateway (alias), messages (list[IncomingSms])
incoming_received = Signal()
