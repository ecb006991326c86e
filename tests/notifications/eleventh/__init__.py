"""An event type more than the product has, in an installation of its own (`settings`): `cases` looks at all of it."""
