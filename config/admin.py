"""The admin site: Unfold's shell with the pages of Tidings."""

from unfold.sites import UnfoldAdminSite


class TidingsAdminSite(UnfoldAdminSite):
    """Where every model and page of the back office is registered."""
