"""How this package reports upward. Receivers that raise make the webhook answer 500, so that the provider tries again."""

from __future__ import annotations

from django.dispatch import Signal

#: kwargs: gateway (alias), receipts (list[DeliveryReceipt])
receipts_received = Signal()
#: kwargs: gateway (alias), messages (list[IncomingSms])
incoming_received = Signal()
