"""The statements of a claim: the lock, what is leased under it, and what is read after it is released."""

# The commit of a claim does not wait for the disk: nothing is sent before that of `BEGIN`, which comes after it in the
# write-ahead log, so that it is on the disk, or on the standby, by then as well. A claim that is lost with the machine
# was none.
LOCK = """
SELECT set_config('synchronous_commit', 'off', true), set_config('lock_timeout', %s, true), pg_advisory_xact_lock(%s)
"""

# What is due of one `candidate` in its turn. A row with an `unknown` behind it is no part of it.
_IN_TURN = """channel_id = candidate.id AND status = 'pending' AND next_trigger NOT IN ('test', 'manual')
            AND NOT is_alert AND lease_token IS NULL AND unknowns_in_row = 0
            AND next_attempt_at BETWEEN candidate.due_from AND statement_timestamp()"""
# The due rows of one `candidate`, up to {limit}: what a person has retried goes before all others, the oldest first.
# Each half is locked on its own, since PostgreSQL locks no union.
_DUE_OF_CANDIDATE = f"""
    SELECT id FROM (SELECT id FROM (
        SELECT id FROM notifications_delivery
        WHERE candidate.has_manual AND channel_id = candidate.id AND status = 'pending' AND next_trigger = 'manual'
            AND lease_token IS NULL AND unknowns_in_row = 0 AND next_attempt_at <= statement_timestamp() {{but}}
        ORDER BY next_attempt_at LIMIT {{limit}} FOR UPDATE SKIP LOCKED
    ) retried UNION ALL SELECT id FROM (
        SELECT id FROM notifications_delivery
        WHERE {_IN_TURN} {{but}}
        ORDER BY next_attempt_at LIMIT {{limit}} FOR UPDATE SKIP LOCKED
    ) others) due LIMIT {{limit}}
"""  # noqa: S608 (made of constants)
_BUT_THE_FIRST = "AND id NOT IN (SELECT id FROM due_first)"

# Channels in random order, else the first ones win for ever; the limit of each is its cap less its live leases.
#
# `due_test`: what people test goes outside every rate, also to a paused channel; a few at a time to each.
# `due_alert`: alerts go outside every rate as well, one at a time to each target.
# `suspect`: a row whose worker died is claimed alone, so that what kills a worker takes nothing with it.
# `due_slowed`: channels with a cap lowered by a timeout, probed only, or slow to answer now, those with nothing in
#     flight before the others; a few at a time.
# `due_first`: one of each channel with nothing in flight. It waits for no slot but for the whole of the process, so
#     that many receivers that begin to hang at once hold nobody up. A few at a time, and those without a backlog
#     before those with one: the event of just now does not wait until two hundred connections are open.
# `due_other`: further ones, as far as there are slots.
# `mark` bounds where a look begins: see `Marks`.
CLAIM = f"""
WITH candidate AS MATERIALIZED (
    SELECT
        channel.id,
        coalesce(health.in_flight_cap < %(cap)s OR health.failures_in_row >= %(failures)s, false)
            OR coalesce(live.ends < statement_timestamp() + make_interval(secs => %(lease)s - %(slow)s), false)
            AS slowed,
        coalesce(health.in_flight_cap IS NOT NULL OR health.failures_in_row > 0, false) AS troubled,
        greatest(0, CASE
            WHEN health.failures_in_row >= %(failures)s THEN 1
            ELSE least(coalesce(health.in_flight_cap, %(cap)s), %(cap)s)
        END - live.leases) AS room,
        live.leases = 0 AS idle,
        live.ends,
        coalesce(mark.due_from, '-infinity') AS due_from,
        retried.channel_id IS NOT NULL AS has_manual
    FROM channels_app_channel channel
    LEFT JOIN notifications_channelhealth health ON health.channel_id = channel.id
    LEFT JOIN (
        SELECT DISTINCT channel_id FROM notifications_delivery
        WHERE status = 'pending' AND next_trigger = 'manual' AND next_attempt_at <= statement_timestamp()
    ) retried ON retried.channel_id = channel.id
    LEFT JOIN jsonb_to_recordset(%(marks)s::jsonb)
        AS mark(channel_id text, leased_from timestamptz, due_from timestamptz)
        ON mark.channel_id = channel.id AND statement_timestamp() >= %(marked_at)s::timestamptz
    CROSS JOIN LATERAL (
        SELECT count(*) AS leases, min(lease_expires_at) AS ends FROM notifications_delivery
        WHERE channel_id = channel.id AND lease_token IS NOT NULL AND next_trigger <> 'test' AND NOT is_alert
            AND lease_expires_at >= coalesce(mark.leased_from, '-infinity')
    ) live
    WHERE channel.paused_at IS NULL AND channel.archived_at IS NULL
        AND (health.probe_at IS NULL OR health.probe_at <= statement_timestamp())
    ORDER BY random()
),
suspect AS MATERIALIZED (
    SELECT due.id, candidate.slowed, candidate.troubled, candidate.ends
    FROM (SELECT * FROM candidate WHERE %(alone)s AND room > 0 AND (NOT slowed OR %(slowed_slots)s > 0)) candidate
    CROSS JOIN LATERAL (
        SELECT id FROM notifications_delivery
        WHERE channel_id = candidate.id AND status = 'pending' AND next_trigger <> 'test' AND unknowns_in_row > 0
            AND NOT is_alert AND lease_token IS NULL AND next_attempt_at <= statement_timestamp()
        ORDER BY next_attempt_at LIMIT 1 FOR UPDATE SKIP LOCKED
    ) due
    LIMIT least(1, %(slots)s)
),
free AS MATERIALIZED (
    SELECT CASE WHEN EXISTS (TABLE suspect) THEN 0 ELSE %(slots)s END AS slots
),
due_test AS MATERIALIZED (
    SELECT due.id, false AS slowed, false AS troubled, NULL::timestamptz AS ends
    FROM (
        SELECT DISTINCT channel_id AS id FROM notifications_delivery
        WHERE status = 'pending' AND next_trigger = 'test' AND next_attempt_at <= statement_timestamp()
    ) tested
    JOIN channels_app_channel channel ON channel.id = tested.id AND channel.archived_at IS NULL
    CROSS JOIN LATERAL (
        SELECT count(*) AS leases FROM notifications_delivery
        WHERE channel_id = tested.id AND lease_token IS NOT NULL AND next_trigger = 'test'
    ) live
    CROSS JOIN LATERAL (
        SELECT id FROM notifications_delivery
        WHERE channel_id = tested.id AND status = 'pending' AND next_trigger = 'test' AND lease_token IS NULL
            AND next_attempt_at <= statement_timestamp()
        ORDER BY next_attempt_at LIMIT greatest(0, %(tests_at_once)s - live.leases) FOR UPDATE SKIP LOCKED
    ) due
    LIMIT least((SELECT slots FROM free), %(test_slots)s)
),
due_alert AS MATERIALIZED (
    SELECT due.id, false AS slowed, false AS troubled, NULL::timestamptz AS ends
    FROM (
        SELECT DISTINCT channel_id AS id FROM notifications_delivery
        WHERE status = 'pending' AND is_alert AND next_attempt_at <= statement_timestamp()
    ) target
    CROSS JOIN LATERAL (
        SELECT id FROM notifications_delivery
        WHERE channel_id = target.id AND status = 'pending' AND is_alert AND lease_token IS NULL
            AND next_attempt_at <= statement_timestamp() AND NOT EXISTS (
                SELECT FROM notifications_delivery sent
                WHERE sent.channel_id = target.id AND sent.is_alert AND sent.lease_token IS NOT NULL)
        ORDER BY next_attempt_at, id LIMIT 1 FOR UPDATE SKIP LOCKED
    ) due
    WHERE NOT EXISTS (TABLE suspect)
    LIMIT %(alert_slots)s
),
due_slowed AS MATERIALIZED (
    SELECT due.id, true AS slowed, candidate.troubled, candidate.ends
    FROM (SELECT * FROM candidate WHERE slowed AND room > 0 ORDER BY NOT idle, random()) candidate
    CROSS JOIN LATERAL ({_DUE_OF_CANDIDATE.format(limit="candidate.room", but="")}) due
    LIMIT least((SELECT slots FROM free) - (SELECT count(*) FROM due_test), %(slowed_slots)s, %(firsts)s)
),
due_first AS MATERIALIZED (
    SELECT due.id, false AS slowed, candidate.troubled, candidate.ends
    FROM (
        SELECT * FROM candidate WHERE NOT slowed AND idle AND room > 0
        ORDER BY EXISTS (SELECT FROM notifications_delivery WHERE {_IN_TURN} ORDER BY next_attempt_at OFFSET 1),
            random()
    ) candidate
    CROSS JOIN LATERAL ({_DUE_OF_CANDIDATE.format(limit="1", but="")}) due
    LIMIT least(%(firsts)s,
        (SELECT slots FROM free) - (SELECT count(*) FROM due_test) - (SELECT count(*) FROM due_slowed))
),
due_other AS MATERIALIZED (
    SELECT due.id, false AS slowed, candidate.troubled, candidate.ends
    FROM (SELECT *, room - idle::int AS more FROM candidate WHERE NOT slowed AND room > idle::int) candidate
    CROSS JOIN LATERAL ({_DUE_OF_CANDIDATE.format(limit="candidate.more", but=_BUT_THE_FIRST)}) due
    LIMIT greatest(0, least(
        (SELECT slots FROM free) - (SELECT count(*) FROM due_test) - (SELECT count(*) FROM due_slowed)
            - (SELECT count(*) FROM due_first),
        %(other_slots)s - (SELECT count(*) FROM due_first)))
),
due AS MATERIALIZED (
    SELECT *, false AS suspect, false AS first
    FROM (TABLE due_test UNION ALL TABLE due_alert UNION ALL TABLE due_slowed UNION ALL TABLE due_other) chosen
    UNION ALL SELECT *, false, true FROM due_first
    UNION ALL SELECT *, true, false FROM suspect
)
UPDATE notifications_delivery delivery
SET lease_token = %(token)s,
    lease_expires_at = statement_timestamp() + make_interval(secs => %(lease)s),
    attempts_made = delivery.attempts_made + 1
FROM due WHERE delivery.id = due.id
RETURNING delivery.id, due.slowed, due.troubled, due.suspect, due.first, delivery.is_alert,
    coalesce(due.ends, delivery.lease_expires_at) AS leased_from
"""  # noqa: S608 (made of constants)

# What is sent, read after the claim is committed, and the attempts written as started: before that nothing was sent.
# A lease that could not outlast the attempt is left to run out, so nobody else is at its row meanwhile.
BEGIN = """
WITH claimed AS MATERIALIZED (
    SELECT leased.*, claimed.attempt_id, claimed.slowed, claimed.troubled, claimed.suspect
    FROM unnest(%(ids)s::text[], %(attempts)s::text[], %(slowed)s::bool[], %(troubled)s::bool[], %(suspect)s::bool[])
        AS claimed(id, attempt_id, slowed, troubled, suspect)
    JOIN notifications_delivery leased ON leased.id = claimed.id
    WHERE leased.lease_token = %(token)s
        AND leased.lease_expires_at >= statement_timestamp() + make_interval(secs => %(timeout)s)
    ORDER BY leased.id FOR SHARE OF leased
),
started AS (
    INSERT INTO notifications_deliveryattempt
        (id, delivery_id, number, trigger, outcome, url, request_headers, response_headers, response_body,
         started_at, error, connection)
    SELECT claimed.attempt_id, claimed.id, claimed.attempts_made, claimed.next_trigger, 'started', channel.url, '{}',
        '{}', '', statement_timestamp(), '', '{}'
    FROM claimed JOIN channels_app_channel channel ON channel.id = claimed.channel_id
)
SELECT claimed.id AS delivery_id, claimed.attempt_id, claimed.event_id, claimed.event_type,
    coalesce(event.body, alert.body) AS body, claimed.is_alert, alert.words,
    claimed.attempts_made AS number, claimed.next_trigger AS trigger, claimed.automatic_retries, claimed.reached,
    claimed.slowed, claimed.troubled, claimed.suspect, claimed.next_attempt_at AS due_at,
    event.order_id, event.contact_id, event.request_id, event.trace_context,
    claimed.lease_expires_at - make_interval(secs => %(lease)s) AS claimed_at, statement_timestamp() AS read_at,
    extract(epoch FROM claimed.lease_expires_at - statement_timestamp())::double precision AS lease_left,
    extract(epoch FROM statement_timestamp() - greatest(claimed.next_attempt_at, channel.resumed_at))::double precision
        AS waited,
    channel.id AS channel_id, channel.name AS channel_name, channel.kind AS channel_kind, channel.url AS channel_url,
    channel.url_is_secret AS channel_url_is_secret, channel.encrypted_url AS channel_encrypted_url,
    channel.recipients AS channel_recipients, channel.system AS channel_system,
    channel.encrypted_headers AS channel_encrypted_headers, channel.encrypted_secret AS channel_encrypted_secret,
    channel.encrypted_settings AS channel_encrypted_settings,
    channel.encrypted_previous_secret AS channel_encrypted_previous_secret,
    channel.previous_secret_until AS channel_previous_secret_until,
    channel.earlier_secrets AS channel_earlier_secrets
FROM claimed
JOIN notifications_event event ON event.id = claimed.event_id
LEFT JOIN notifications_alert alert ON alert.id = claimed.event_id AND claimed.is_alert
JOIN channels_app_channel channel ON channel.id = claimed.channel_id
"""
