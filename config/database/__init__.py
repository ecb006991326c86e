"""How Tidings reaches PostgreSQL: what DATABASE_URL may say (`url`), and Django's backend with our pool (`base`)."""
