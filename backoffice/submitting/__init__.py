"""Submission of the forms of the back office.

A form takes effect once, however often it is sent (`once`). Where its user is logged out, nothing is done, the login
says so and leads back to a page (`refused`, `return_pages`), and what was typed is there again (`drafts`, `html_fill`).
docs/forms.md says how a new form is made.
"""
