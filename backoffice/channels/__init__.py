"""Channels in the back office: the list, one channel with its actions, and the forms to add and to change one."""

from backoffice.channels.channel_list import ChannelAdmin

__all__ = ["ChannelAdmin"]
