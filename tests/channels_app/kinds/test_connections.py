"""Each channel has connections of its own: what a transport is given says whose they are."""

import pytest

from channels_app.services import create_channel


@pytest.mark.django_db
def test_a_destination_names_its_channel() -> None:
    channels = [create_channel(name=name, kind="postback", url="https://shop.example.com/") for name in ("a", "b")]

    assert [channel.destination().channel_id for channel in channels] == [str(channel.pk) for channel in channels]
    assert len({channel.pk for channel in channels}) == 2
