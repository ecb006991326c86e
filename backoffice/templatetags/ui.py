"""Filters of all pages: how times, amounts, numbers and event types are shown."""

from django import template

from notifications import display

register = template.Library()

for each in (display.ago, display.moment, display.number, display.money, display.event_label, display.told):
    register.filter(each.__name__, each)
