from celery import shared_task

from orders import services


@shared_task(name="orders.tasks.complete_stale_funnel_orders")
def complete_stale_funnel_orders() -> int:
    """Complete the funnel orders whose buyer never came to the thank-you page. Safe under two beats."""
    return services.complete_stale_funnel_orders()
