"""Filters of all pages: how times, amounts, numbers and event types are shown."""

from django import template

from notifications import showing

register = template.Library()

for each in (showing.ago, showing.moment, showing.number, showing.money, showing.event_label, showing.told):
    register.filter(each.__name__, each)
