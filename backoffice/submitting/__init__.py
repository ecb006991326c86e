"""What happens to a form of the back office on its way here.

It takes effect once, however often it is sent (`once`). Where nobody is logged in any more, nothing is done, the login
says so and leads back to a page (`refused`, `return_pages`), and what was typed is there again (`drafts`, `html_fill`).
docs/forms.md says how a new form is made.
"""
