"""The facts that `orders.services` announces.

Each is sent inside the transaction of the call that made it so, after all its changes, in the order in which
they are listed here. `sender` is the model class; the arguments are saved model instances. A receiver that raises
undoes the call.
"""

from django.dispatch import Signal

contact_created = Signal()  # contact, source (the sender's), reactivated (bool)
transaction_approved = Signal()  # transaction, order
transaction_declined = Signal()  # transaction, order
customer_created = Signal()  # contact, order
product_conflict = Signal()  # contact, order, product, previous_order
order_completed = Signal()  # order
refund_applied = Signal()  # refund, transaction, order
tracking_updated = Signal()  # order
subscription_canceled = Signal()  # subscription, contact, order
survey_completed = Signal()  # response, survey, contact (or None), order (or None), source (the event's)
