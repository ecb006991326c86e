<?php

const TOLERANCE_SECONDS = 5 * 60;

/**
 * Whether a notification comes from Tidings. Answer 401 where it does not.
 *
 * $secret is the channel's (whsec_...), $headers those of the request by lower-case name,
 * and $body its bytes as they came:
 * verify($secret, array_change_key_case(getallheaders()), file_get_contents('php://input'))
 */
function verify(string $secret, array $headers, string $body): bool
{
    $id = $headers['webhook-id'] ?? '';
    $timestamp = $headers['webhook-timestamp'] ?? '';
    $key = base64_decode(preg_replace('/^whsec_/', '', $secret));
    if (!is_numeric($timestamp) || abs(time() - $timestamp) > TOLERANCE_SECONDS || !$key) {
        return false;
    }
    $expected = 'v1,' . base64_encode(hash_hmac('sha256', "$id.$timestamp.$body", $key, true));
    // Several while a secret is being rotated. hash_equals takes as long wherever they differ.
    foreach (explode(' ', $headers['webhook-signature'] ?? '') as $signature) {
        if (hash_equals($expected, $signature)) {
            return true;
        }
    }
    return false;
}
