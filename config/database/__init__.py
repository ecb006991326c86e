"""How Tidings reaches PostgreSQL.

What DATABASE_URL may say (`url`), Django's backend with our pool (`base`), and the steps of its migrations (`schema`).
"""
