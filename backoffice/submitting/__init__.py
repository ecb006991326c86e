"""What happens to a form of the back office on its way here.

It takes effect once, however often it is sent (`once`). Where nobody is logged in any more, nothing is done, the login
says so and leads back to a page (`pages`), and what was typed is there again (`kept`, `filling`). docs/forms.md is for
whoever makes a new one.
"""
