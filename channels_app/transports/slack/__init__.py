"""Messages to the incoming webhooks of Slack, and of Mattermost, which speaks the same."""
